package otelclicknps_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"runtime"
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
	"github.com/clicknps/go-sdk/webhook"
)

var errHandler = errors.New("user_42")

func TestHandler(t *testing.T) {
	for _, c := range []struct {
		event *webhook.Event
		fn    func() error
		want  string // of the span, without the common part of its name
		err   error
	}{
		{
			&webhook.Event{Type: clicknps.EventResponseCreated}, func() error { return nil },
			"response.created [consumer] Unset: clicknps.event.outcome=handled " +
				"clicknps.event.type=response.created tenant=acme", nil,
		},
		{
			&webhook.Event{Type: clicknps.EventResponseUpdated}, func() error { return errHandler },
			"response.updated [consumer] Error: clicknps.event.outcome=failed " +
				"clicknps.event.type=response.updated error.type=_OTHER tenant=acme", errHandler,
		},
		{
			&webhook.Event{Type: clicknps.EventSurveyCompleted}, func() error { return clicknps.ErrInvalidParams },
			"survey.completed [consumer] Error: clicknps.event.outcome=failed " +
				"clicknps.event.type=survey.completed error.type=invalid_params tenant=acme", clicknps.ErrInvalidParams,
		},
		{
			&webhook.Event{Type: "sk_live_1"}, func() error { panic("user_42") },
			"_OTHER [consumer] Error: clicknps.event.outcome=aborted " +
				"clicknps.event.type=_OTHER error.type=_OTHER tenant=acme", nil,
		},
		{
			nil, func() error { runtime.Goexit(); return nil },
			"_OTHER [consumer] Error: clicknps.event.outcome=aborted " +
				"clicknps.event.type=_OTHER error.type=_OTHER tenant=acme", nil,
		},
	} {
		r := record(t)
		fn := otelclicknps.Handler(func(ctx context.Context, e *webhook.Event) error {
			assert.Same(t, c.event, e)
			assert.True(t, trace.SpanFromContext(ctx).IsRecording())
			return c.fn()
		}, r.options(otelclicknps.WithAttributes(attribute.String("tenant", "acme")))...)
		result := make(chan error, 1)
		go func() {
			defer close(result)
			defer func() { _ = recover() }()
			result <- fn(t.Context(), c.event)
		}()
		assert.Equal(t, c.err, <-result)
		assert.Equal(t, []string{"webhook " + c.want}, r.tree())
	}
	assert.Nil(t, otelclicknps.Handler(nil))
}

const (
	traceID     = "4bf92f3577b34da6a3ce929d0e0e4736"
	traceparent = "00-" + traceID + "-00f067aa0ba902b7-01"
)

// deliver has a response delivered to the handler that mount makes, by way of a proxy that adds a
// traceparent.
func deliver(t *testing.T, mount func(*webhook.Verifier) http.Handler) {
	srv := clicknpstest.Run(t)
	verifier, err := webhook.NewVerifier([]string{srv.WebhookSecret()})
	require.NoError(t, err)
	receiver := mount(verifier)
	srv.DeliverTo(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("Traceparent", traceparent)
		receiver.ServeHTTP(w, r)
	}))
	_, err = srv.Client().Webhooks.Create(t.Context(), &clicknps.WebhookCreateParams{
		URL: "https://example.com/hooks", Events: []clicknps.EventType{clicknps.EventResponseCreated},
	})
	require.NoError(t, err)
	srv.Respond(srv.AddSurvey(clicknps.Survey{}).ID, "user_42", 9, "")
	srv.Advance(3 * time.Minute)
	require.Len(t, srv.Deliveries(), 1)
	require.Equal(t, 2, srv.Deliveries()[0].StatusCode/100)
}

func handled(context.Context, *webhook.Event) error { return nil }

func TestContinueTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := record(t)
		deliver(t, func(v *webhook.Verifier) http.Handler {
			return otelclicknps.ContinueTrace(v.Handler(otelclicknps.Handler(handled, r.options()...)))
		})
		require.Len(t, r.spans.Ended(), 1)
		span := r.spans.Ended()[0]
		assert.Equal(t, traceID, span.SpanContext().TraceID().String())
		assert.Equal(t, "00f067aa0ba902b7", span.Parent().SpanID().String())
		assert.True(t, span.Parent().IsRemote())
	})
}

// Without ContinueTrace a trace begins, and so it does in a queue, whose context is not a request's.
func TestNewTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := record(t)
		fn := otelclicknps.Handler(handled, r.options()...)
		deliver(t, func(v *webhook.Verifier) http.Handler { return v.Handler(fn) })
		deliver(t, func(v *webhook.Verifier) http.Handler {
			queue := v.Queue(fn, webhook.QueueOptions{})
			t.Cleanup(func() { assert.NoError(t, queue.Shutdown(context.Background())) })
			return otelclicknps.ContinueTrace(queue)
		})
		synctest.Wait()
		span := "webhook response.created [consumer] Unset: clicknps.event.outcome=handled " +
			"clicknps.event.type=response.created"
		assert.Equal(t, []string{span, span}, r.tree())
	})
}

// A span that is there already, such as otelhttp's, stays the parent.
func TestContinueTraceKeepsTheSpan(t *testing.T) {
	ctx, span := record(t).tracers.Tracer("test").Start(t.Context(), "POST /hooks")
	request := httptest.NewRequestWithContext(ctx, http.MethodPost, "/hooks", http.NoBody)
	request.Header.Set("Traceparent", traceparent)
	var seen trace.Span
	otelclicknps.ContinueTrace(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		seen = trace.SpanFromContext(r.Context())
	})).ServeHTTP(httptest.NewRecorder(), request)
	assert.Equal(t, span, seen)
}
