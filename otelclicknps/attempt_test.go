package otelclicknps_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
	"github.com/clicknps/go-sdk/otelclicknps"
)

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// instead answers every attempt with f, inside its span.
func instead(f roundTripper) clicknps.Option {
	return clicknps.WithMiddleware(func(http.RoundTripper) http.RoundTripper { return f })
}

var once = clicknps.WithRetryPolicy(clicknps.RetryPolicy{MaxRetries: -1, AttemptTimeout: time.Second})

// An endpoint that this SDK does not know has no template, and a method that nobody knows has no name.
func TestAttemptOfDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, r := clicknpstest.Run(t), record(t)
		client := r.client(srv)
		require.NoError(t, client.Do(t.Context(), "GET", "/surveys", nil, nil))
		require.Error(t, client.SalesOS.Do(t.Context(), "STEAL", "/nps-surveys/sk_live_1", nil, nil))
		call := "Do [client] "
		assert.Equal(t, []string{
			call + "Unset: clicknps.attempts=1 clicknps.operation=Do clicknps.waited=0",
			"  GET [client] Unset: http.request.method=GET http.response.status_code=200",
			call + "Error: clicknps.attempts=1 clicknps.operation=Do clicknps.service=salesos " +
				"clicknps.waited=0 error.type=404",
			"  HTTP [client] Error: error.type=404 http.request.method=_OTHER http.response.status_code=404",
		}, r.tree())
	})
}

func TestServerAddressAndPort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for baseURL, want := range map[string]string{
			"https://api.example.com":      "server.address=api.example.com", // the port is 443, which list leaves out
			"https://api.example.com:8443": "server.address=api.example.com server.port=8443",
			"http://[::1]":                 "server.address=::1 server.port=80",
		} {
			r := record(t)
			client := r.client(clicknpstest.Run(t), clicknps.WithPlainHTTP(), clicknps.WithBaseURL(baseURL), once,
				instead(func(*http.Request) (*http.Response, error) { return nil, errors.New("no network") }))
			_, err := client.Surveys.List(t.Context(), nil)
			require.Error(t, err)
			assert.Equal(t, "  GET /surveys [client] Error: error.type=_OTHER http.request.method=GET "+want+
				" url.template=/surveys", r.tree()[1])
			attributes := attribute.NewSet(r.spans.Ended()[0].Attributes()...)
			assert.True(t, attributes.HasValue("server.port"))
		}
	})
}

// A middleware after the options sees the attempt's span, and can send its trace along.
func TestAttemptIsInTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, r := clicknpstest.Run(t), record(t)
		var seen []trace.SpanID
		client := r.client(srv, clicknps.WithMiddleware(func(next http.RoundTripper) http.RoundTripper {
			return roundTripper(func(req *http.Request) (*http.Response, error) {
				seen = append(seen, trace.SpanContextFromContext(req.Context()).SpanID())
				return next.RoundTrip(req)
			})
		}))
		_, err := client.Surveys.List(t.Context(), nil)
		require.NoError(t, err)
		assert.Equal(t, []trace.SpanID{r.spans.Ended()[0].SpanContext().SpanID()}, seen)
		assert.Empty(t, srv.Requests()[0].Header.Values("Traceparent"))
	})
}

// An attempt ends with its answer's body. What is read of an export belongs to it.
func TestAttemptLastsAsLongAsItsBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := record(t)
		slow, w := io.Pipe()
		go func() {
			_, _ = io.WriteString(w, "id,score\n")
			<-time.After(3 * time.Second)
			_ = w.Close()
		}()
		client := r.client(clicknpstest.Run(t), instead(func(req *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Body: slow, ContentLength: -1, Request: req}, nil
		}))
		_, err := client.SalesOS.NPS.Export(t.Context(), "nps_1", clicknps.ExportCSV, io.Discard)
		require.NoError(t, err)
		attempt := r.spans.Ended()[0]
		assert.Equal(t, "GET /nps-surveys/{id}/responses/export", attempt.Name())
		assert.Equal(t, 3*time.Second, attempt.EndTime().Sub(attempt.StartTime()))
	})
}

// A writer that fails leaves the body unread: closing it ends the attempt, without an error.
func TestAttemptWhoseBodyIsNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := record(t)
		closed := false
		client := r.client(clicknpstest.Run(t), instead(func(req *http.Request) (*http.Response, error) {
			body := endless{closed: &closed}
			return &http.Response{StatusCode: 200, Body: body, ContentLength: -1, Request: req}, nil
		}))
		_, writer := io.Pipe()
		_ = writer.CloseWithError(io.ErrClosedPipe)
		_, err := client.SalesOS.NPS.Export(t.Context(), "nps_1", clicknps.ExportCSV, writer)
		require.ErrorIs(t, err, io.ErrClosedPipe)
		assert.True(t, closed)
		assert.Equal(t, "  GET /nps-surveys/{id}/responses/export [client] Unset: http.request.method=GET "+
			"http.response.status_code=200 url.template=/nps-surveys/{id}/responses/export", r.tree()[1])
	})
}

type endless struct{ closed *bool }

func (endless) Read(p []byte) (int, error) { return copy(p, "id,score\n"), nil }
func (e endless) Close() error             { *e.closed = true; return nil }

// A transport that ignores its context is left behind. Its attempt ends with the time-out all the same.
func TestAttemptThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, release := record(t), make(chan struct{})
		client := r.client(clicknpstest.Run(t), once, instead(func(*http.Request) (*http.Response, error) {
			<-release
			return nil, errors.New("too late")
		}))
		_, err := client.Surveys.List(t.Context(), nil)
		require.Error(t, err)
		call, attempt := r.spans.Started()[0], r.spans.Started()[1]
		assert.Equal(t, time.Second, attempt.EndTime().Sub(attempt.StartTime()))
		assert.False(t, attempt.EndTime().After(call.EndTime()))
		want := r.tree()
		assert.Contains(t, want[1], "Error: error.type=timeout ")
		close(release)
		synctest.Wait()
		assert.Equal(t, want, r.tree())
	})
}

func TestAttemptOverASocket(t *testing.T) {
	srv, r := clicknpstest.Run(t), record(t)
	client := r.client(srv, clicknps.WithHTTPClient(&http.Client{Transport: new(http.Transport)}),
		clicknps.WithPlainHTTP(), clicknps.WithSalesOSBaseURL(srv.URL()))
	survey := srv.AddNPSSurvey(clicknps.NPSSurvey{})
	_, err := client.SalesOS.NPS.Export(t.Context(), survey.ID, clicknps.ExportCSV, io.Discard)
	require.NoError(t, err)
	require.Len(t, r.spans.Ended(), 2)
	attributes := attribute.NewSet(r.spans.Ended()[0].Attributes()...)
	address, _ := attributes.Value("server.address")
	port, _ := attributes.Value("server.port")
	assert.Contains(t, srv.URL(), fmt.Sprintf("//%s:%d/", address.AsString(), port.AsInt64()))
}

// Odd transports do no harm.
func TestOddAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for want, answer := range map[string]*http.Response{
			"error.type=_OTHER":             nil,
			"http.response.status_code=204": {StatusCode: 204},
		} {
			r := record(t)
			client := r.client(clicknpstest.Run(t), once, instead(func(*http.Request) (*http.Response, error) {
				return answer, nil
			}))
			assert.Equal(t, answer == nil, client.Surveys.Delete(t.Context(), "survey_1") != nil)
			assert.Contains(t, r.tree()[1], want)
		}
	})
}

// A request of something else that shares the transport is passed on as it is.
func TestRequestWithoutACall(t *testing.T) {
	r := record(t)
	var wrapped http.RoundTripper
	srv := clicknpstest.Run(t)
	srv.Client(append([]clicknps.Option{clicknps.WithMiddleware(func(next http.RoundTripper) http.RoundTripper {
		wrapped = next
		return next
	})}, otelclicknps.Options(r.options()...)...)...)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL()+"/surveys", http.NoBody)
	require.NoError(t, err)
	resp, err := wrapped.RoundTrip(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Empty(t, r.spans.Started())
}

func TestErrorTypesOfTransports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for want, err := range map[string]error{
			"name_resolution_error":      &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "secret"}},
			"timeout":                    &net.OpError{Op: "dial", Err: timeout{}},
			"connection_error":           &net.OpError{Op: "dial", Err: errors.New("refused")},
			"response_ended":             io.EOF,
			"server_certificate_invalid": &tls.CertificateVerificationError{Err: errors.New("expired")},
			"canceled":                   context.Canceled,
			"_OTHER":                     errors.New("sk_live_1"),
		} {
			r := record(t)
			_, got := r.client(clicknpstest.Run(t), once,
				instead(func(*http.Request) (*http.Response, error) { return nil, err })).Surveys.List(t.Context(), nil)
			require.Error(t, got)
			assert.Equal(t, 2, strings.Count(strings.Join(r.tree(), "\n"), "error.type="+want+" "), want)
		}
	})
}

type timeout struct{}

func (timeout) Error() string { return "timed out" }
func (timeout) Timeout() bool { return true }
