package main

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDemo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		require.NoError(t, runDemo(t.Context(), &out))
		rest := out.String()
		for _, want := range []string{
			"+3 min ", "\nfailed     no connection to the database", "attempt 1 of a response.created: 500\n",
			"+5 min ", "\nresponse   ", "attempt 2 of a response.created: 200\n",
			"+0 min ", "\nresponse   carla 3 detractor \"The export never ends\"\n",
			"+0 min ", "attempt 2 of a response.updated: 200\n",
			"+0 min ", "\ncompleted  survey ",
			"\nscore      NPS +16.7 (95 % confidence: -43.9 to +66.2) from 6 responses\n",
		} {
			_, after, found := strings.Cut(rest, want)
			require.True(t, found, "%q is missing after the line before it in\n%s", want, out.String())
			rest = after
		}
		assert.Empty(t, rest)
		handled := strings.Count(out.String(), "\nresponse   ")
		assert.Equal(t, len(customers)+1, handled, "each event is handled once")
	})
}
