package webhook_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk"
)

// What parsers read differently, a delivery and an answer of the API read alike: with the exact
// value, or not at all.
func TestVerifyReadsAResponseAsTheClientDoes(t *testing.T) {
	for members, want := range map[string]any{
		`"score":1,"score":9`: 9,
		`"Score":1,"score":9`: 9,
		`"score":9,"Score":1`: 9,
		`"score":"9"`:         9,
		`"score":0.9e1`:       9,
		`"score":-0.0`:        0,
		`"score":null`:        clicknps.NoScore,
		`"score":"1_0"`:       nil,
		`"score":"0x9"`:       nil,
		`"score":9.5`:         nil,
		`"score":9e-1`:        nil,
		`"score":true`:        nil,
		`"score":[9]`:         nil,
	} {
		t.Run(members, func(t *testing.T) {
			response := `{"id":"resp_1","survey_id":"s","subject_id":"u",` + members + `}`
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = fmt.Fprint(w, response)
			}))
			defer srv.Close()
			client, err := clicknps.New(clicknps.WithoutEnvironment(), clicknps.WithAPIKey("ck_x"), clicknps.WithBaseURL(srv.URL))
			require.NoError(t, err)
			answered, answerErr := client.Responses.Get(t.Context(), "resp_1")
			flat, flatErr := verifySigned(t, response)
			enveloped, envelopeErr := verifySigned(t, `{"type":"response.updated","data":{},"data":`+response+`}`)
			if want == nil {
				assert.Error(t, answerErr)
				assert.Error(t, flatErr)
				assert.Error(t, envelopeErr)
				return
			}
			require.NoError(t, answerErr)
			require.NoError(t, flatErr)
			require.NoError(t, envelopeErr)
			assert.Equal(t, want, answered.Score)
			assert.Equal(t, answered, flat.Response)
			assert.Equal(t, answered, enveloped.Response)
		})
	}
}
