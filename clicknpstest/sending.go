package clicknpstest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/clicknps/go-sdk"
)

// Deliveries returns every attempt to deliver an event to a webhook, oldest first.
func (s *Server) Deliveries() []Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	copies := make([]Delivery, len(s.outbox.sent))
	for i, sent := range s.outbox.sent {
		copies[i] = sent.clone()
	}
	return copies
}

func (d Delivery) clone() Delivery {
	d.Header, d.Body = d.Header.Clone(), bytes.Clone(d.Body)
	return d
}

// Redeliver sends the event of Deliveries()[i] to its webhook once more, by hand: with a new timestamp and
// signature, as the next attempt. It is not repeated when it fails; the returned Delivery says whether it
// did. The error is for an i that isn't there and a webhook that was deleted.
// Don't call it from the receiver of a delivery.
func (s *Server) Redeliver(i int) (Delivery, error) {
	s.delivering <- struct{}{}
	defer func() { <-s.delivering }()
	a, hook, err := s.repeatOf(i)
	if err != nil {
		return Delivery{}, err
	}
	return s.send(a, hook), nil
}

func (s *Server) repeatOf(i int) (attempt, webhook, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i < 0 || i >= len(s.outbox.sent) {
		return attempt{}, webhook{}, fmt.Errorf("clicknpstest: no delivery %d of %d", i, len(s.outbox.sent))
	}
	first := s.outbox.sent[i]
	hook, ok := s.store.webhooks.byID[first.WebhookID]
	if !ok {
		return attempt{}, webhook{}, fmt.Errorf("clicknpstest: webhook %s was deleted", first.WebhookID)
	}
	number := 1
	for _, sent := range s.outbox.sent {
		if sent.event == first.event && sent.WebhookID == first.WebhookID {
			number++
		}
	}
	return attempt{event: first.event, webhookID: hook.ID, number: number}, *hook, nil
}

// DeliverTo hands all deliveries from now on to receiver, in process, whatever URL a webhook names: no
// socket is involved, and so it works in a [testing/synctest] bubble. A delivery is given up after 10 s: the
// request's context ends, and a receiver that goes on all the same is left behind.
func (s *Server) DeliverTo(receiver http.Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	client := *s.outbox.client
	client.Transport = handlerTransport{receiver}
	s.outbox.client = &client
}

// deliver makes an attempt, and plans the next one if it fails.
func (s *Server) deliver(a attempt, hook webhook) {
	d := s.send(a, hook)
	if d.StatusCode/100 == 2 || a.number > len(retryDelays) {
		return
	}
	a.due = d.At.Add(retryDelays[a.number-1])
	a.number++
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outbox.add(a)
}

// send makes one attempt. The caller holds the token of s.delivering, and not s.mu.
func (s *Server) send(a attempt, hook webhook) Delivery {
	s.mu.Lock()
	at, client := s.now(), s.outbox.client
	s.mu.Unlock()

	stamp := time.Now()
	body := a.event.payload(stamp)
	d := Delivery{
		At:        at,
		WebhookID: hook.ID,
		URL:       hook.URL,
		Event:     a.event.kind,
		Header: http.Header{
			"Content-Type":         {"application/json"},
			"User-Agent":           {"ClickNPS-Webhooks/1.0"},
			"X-Clicknps-Signature": {sign(hook.Secret, body)},
			"X-Clicknps-Timestamp": {strconv.FormatInt(stamp.Unix(), 10)},
		},
		Body:    body,
		Attempt: a.number,
	}
	d.StatusCode, d.Err = post(s.ctx, client, &d)

	s.mu.Lock()
	defer s.mu.Unlock()
	s.outbox.sent = append(s.outbox.sent, sentAttempt{d.clone(), a.event})
	return d
}

func post(ctx context.Context, client *http.Client, d *Delivery) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.URL, bytes.NewReader(d.Body))
	if err != nil {
		return 0, err
	}
	req.Header = d.Header.Clone()
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

func sign(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// payload is e as it is sent at the time of stamp.
func (e *event) payload(stamp time.Time) []byte {
	if e.kind == clicknps.EventResponseCreated {
		return marshal(struct {
			SurveyID  string  `json:"survey_id"`
			SubjectID string  `json:"subject_id"`
			Score     int     `json:"score"`
			Comment   *string `json:"comment"`
			Timestamp string  `json:"timestamp"`
		}{e.response.SurveyID, e.response.SubjectID, e.response.Score, e.response.Comment, stamp.UTC().Format(isoMillis)})
	}
	var data any = e.response
	if e.survey != nil {
		data = e.survey
	}
	return marshal(struct {
		ID        string `json:"id"`
		Type      string `json:"type"`
		CreatedAt string `json:"created_at"`
		Data      any    `json:"data"`
	}{e.id, string(e.kind), e.createdAt.Format(isoMillis), data})
}

// handlerTransport answers requests by a handler.
type handlerTransport struct{ handler http.Handler }

// RoundTrip implements [http.RoundTripper].
func (t handlerTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := readRequestBody(r)
	if err != nil {
		return nil, err
	}
	incoming := r.Clone(r.Context())
	incoming.Body = io.NopCloser(bytes.NewReader(body))
	incoming.RequestURI = r.URL.RequestURI()
	incoming.RemoteAddr = "192.0.2.1:443" // an address for documentation, as httptest gives

	type result struct {
		resp *http.Response
		err  error
	}
	done := make(chan result, 1)
	go func() {
		w := &answerWriter{answer{header: http.Header{}}}
		defer func() {
			if v := recover(); v != nil {
				done <- result{nil, connectionReset()} // as net/http does with a handler that panics
				return
			}
			done <- result{w.answer.response(r, bytes.NewReader(w.body)), nil}
		}()
		t.handler.ServeHTTP(w, incoming)
		w.WriteHeader(http.StatusOK)
	}()
	select {
	case <-r.Context().Done():
		return nil, r.Context().Err()
	case got := <-done:
		return got.resp, got.err
	}
}

// answerWriter lets a handler write an answer.
type answerWriter struct{ answer }

func (w *answerWriter) Header() http.Header { return w.header }

func (w *answerWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *answerWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	w.body = append(w.body, p...)
	return len(p), nil
}
