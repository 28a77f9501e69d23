package clicknps_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
)

func TestHeaderOption(t *testing.T) {
	t.Parallel()
	w := newWire(reply(200, golden(t, "survey.json")))
	_, err := w.client(t).Surveys.Get(t.Context(), "s",
		clicknps.WithHeader("x-tenant", "first"), clicknps.WithHeader("X-Tenant", "a\tb"), clicknps.WithHeader("Accept-Language", "dé"),
		clicknps.WithHeader("X-0zZaA9", "all characters of the ranges"))
	require.NoError(t, err)
	assert.Equal(t, []string{"a\tb"}, w.sent()[0].Header["X-Tenant"], "the last one holds")
	assert.Equal(t, []string{"dé"}, w.sent()[0].Header["Accept-Language"])
	assert.Equal(t, "all characters of the ranges", w.sent()[0].Header.Get("X-0zZaA9"))
}
