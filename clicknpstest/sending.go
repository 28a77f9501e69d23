package clicknpstest

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/internal/signing"
)

// receiverTimeout is how long a receiver may take to answer a delivery, redirects included.
const receiverTimeout = 20 * time.Second

// newReceiverClient returns a client that follows redirects with the same POST.
func newReceiverClient() http.Client {
	return http.Client{
		Transport: &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(req *http.Request, via []*http.Request) (err error) {
			if len(via) == 10 {
				return errors.New("clicknpstest: the receiver redirects more than 10 times")
			}
			first := via[0]
			req.Method, req.Header, req.ContentLength = first.Method, first.Header.Clone(), first.ContentLength
			req.Body, err = first.GetBody()
			return err
		},
	}
}

// DeliverTo hands all deliveries from now on to receiver, in process, whatever URL a webhook has:
// no socket is involved, and so it works in a [testing/synctest] bubble. A delivery is given up
// after 20 s: the request's context ends, and a receiver that goes on all the same is left behind.
func (s *Server) DeliverTo(receiver http.Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outbox.client.Transport = handlerTransport{receiver}
}

// nextBatch takes the next attempts that fall due until the fake's time is goal ahead, and moves
// time to them.
func (s *Server) nextBatch(goal time.Duration) []attempt {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := &s.outbox
	o.queue = slices.DeleteFunc(o.queue, func(a attempt) bool { return !s.exists(a.hook) })
	if s.ctx.Err() != nil || len(o.queue) == 0 {
		return nil
	}
	now := time.Now()
	horizon := min(goal, max(s.offset, o.queue[0].At.Sub(now)+together))
	n := 0
	for n < len(o.queue) && n < maxConcurrent && o.queue[n].At.Sub(now) <= horizon {
		s.offset = max(s.offset, o.queue[n].At.Sub(now))
		n++
	}
	batch := slices.Clone(o.queue[:n])
	o.queue = slices.Delete(o.queue, 0, n)
	return batch
}

// exists reports whether w was not deleted. The caller holds s.mu.
func (s *Server) exists(w *wireWebhook) bool { return s.store.webhooks.byID[w.ID] == w }

// deliver makes the attempts of batch concurrently, and plans the next one of each that fails.
func (s *Server) deliver(batch []attempt) {
	var wg sync.WaitGroup
	for i := range batch {
		wg.Go(func() { batch[i] = s.send(batch[i]) })
	}
	wg.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outbox.sent = append(s.outbox.sent, batch...)
	for _, a := range batch {
		if a.StatusCode/100 != 2 && a.Attempt <= len(retryDelays) {
			a.At = a.At.Add(retryDelays[a.Attempt-1])
			a.Attempt++
			s.outbox.add(a)
		}
	}
}

// send makes one attempt. The caller holds the token of s.delivering, and not s.mu.
func (s *Server) send(a attempt) attempt {
	s.mu.Lock()
	client := s.outbox.client
	a.At = s.now()
	s.mu.Unlock()

	stamp := time.Now()
	a.Body = a.payload(stamp)
	a.Header = http.Header{
		"Content-Type":         {"application/json"},
		"User-Agent":           {"ClickNPS-Webhooks/1.0"},
		"X-Clicknps-Signature": {signing.Sign(a.hook.Secret, a.Body)},
		"X-Clicknps-Timestamp": {strconv.FormatInt(stamp.Unix(), 10)},
	}
	ctx, cancel := context.WithTimeout(s.ctx, receiverTimeout)
	defer cancel()
	a.StatusCode, a.Err = post(ctx, client, a)
	return a
}

func post(ctx context.Context, client http.Client, a attempt) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.URL, bytes.NewReader(a.Body))
	if err != nil {
		return 0, err
	}
	req.Header = a.Header.Clone()
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	_ = resp.Body.Close() // nothing of it is wanted
	return resp.StatusCode, nil
}

// payload is the body of a as it is sent at the time of stamp.
func (a attempt) payload(stamp time.Time) []byte {
	e := a.event
	if r, ok := e.data.(response); ok && a.Event == clicknps.EventResponseCreated {
		return marshal(struct {
			SurveyID  string `json:"survey_id"`
			SubjectID string `json:"subject_id"`
			Score     score  `json:"score"`
			Comment   text   `json:"comment"`
			Timestamp string `json:"timestamp"`
		}{r.SurveyID, r.SubjectID, r.Score, r.Comment, stamp.UTC().Format(isoMillis)})
	}
	return marshal(struct {
		ID        string             `json:"id"`
		Type      clicknps.EventType `json:"type"`
		CreatedAt string             `json:"created_at"`
		Data      any                `json:"data"`
	}{e.id, a.Event, e.createdAt.Format(isoMillis), e.data})
}

// handlerTransport answers requests by a handler.
type handlerTransport struct{ handler http.Handler }

// RoundTrip implements [http.RoundTripper].
func (t handlerTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	type result struct {
		resp *http.Response
		err  error
	}
	done := make(chan result, 1)
	go func() {
		got := result{err: connectionReset()} // the result if the handler ends its goroutine
		defer func() { done <- got }()
		got.resp, got.err = serve(t.handler, r)
	}()
	select {
	case <-r.Context().Done():
		return nil, r.Context().Err()
	case got := <-done:
		return got.resp, got.err
	}
}
