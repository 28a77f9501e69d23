package clicknpstest_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestBothTransportsAnswerAlike(t *testing.T) {
	answers := func(connect func(*testing.T, *clicknpstest.Server) caller) (got []string) {
		srv := clicknpstest.Run(t)
		srv.AddSurvey(clicknps.Survey{ID: "a", CreatedAt: documented})
		srv.AddNPSSurvey(clicknps.NPSSurvey{ID: "b", CreatedAt: documented})
		c := connect(t, srv)
		for _, path := range []string{"/v1/surveys", "/v1/surveys/a", "/v1/nps-surveys/b", "/v1/nps-surveys/b/responses/export?format=csv", "/none"} {
			r := c.get(path)
			got = append(got, fmt.Sprint(r.status, r.header.Get("Content-Type"), r.header.Get("X-Request-Id"), r.body))
		}
		r := c.call("DELETE", "/v1/nps-surveys/b", "")
		return append(got, fmt.Sprint(r.status, r.header.Get("X-Request-Id"), r.body))
	}
	assert.Equal(t, answers(inProcess), answers(overSocket))
}

func TestTheInProcessTransportKeepsItsContract(t *testing.T) {
	srv := clicknpstest.Run(t)
	body := &closeCounter{Reader: strings.NewReader("{}")}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	req, err := http.NewRequestWithContext(ctx, "POST", "https://clicknps.test/v1/surveys", body)
	require.NoError(t, err)
	_, err = srv.Transport().RoundTrip(req)
	assert.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, 1, body.closed)
	assert.Empty(t, srv.Requests(), "nothing was sent")

	broken := &closeCounter{Reader: io.MultiReader(bytes.NewReader([]byte("{")), errorReader{})}
	req, err = http.NewRequestWithContext(t.Context(), "POST", "https://clicknps.test/v1/surveys", broken)
	require.NoError(t, err)
	_, err = srv.Transport().RoundTrip(req)
	assert.ErrorIs(t, err, io.ErrClosedPipe)
	assert.Equal(t, 1, broken.closed)
}
