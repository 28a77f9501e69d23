package clicknpstest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/internal/signing"
)

const (
	// together is how far apart two deliveries may fall due that are made concurrently, up to
	// maxConcurrent.
	together      = time.Second
	maxConcurrent = 5
)

// retryDelays follow the attempt before, on anything but a 2xx: seven attempts in all.
var retryDelays = []time.Duration{
	5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour,
}

// Delivery is one attempt to deliver an event to a webhook.
type Delivery struct {
	At         time.Time // in the fake's time
	WebhookID  string
	URL        string             // of the webhook
	Event      clicknps.EventType // the body of a response.created does not name it
	Header     http.Header        // as sent
	Body       []byte             // as sent
	Attempt    int                // 1 for the first
	StatusCode int                // of the receiver's answer; 0: there was none
	Err        error              // why there was no answer
}

// event is something that webhooks are subscribed to.
type event struct {
	id        string
	createdAt time.Time // in the receiver's time, as all times in deliveries
	data      any       // the response or the survey, as it was
}

// attempt is a delivery that was made, or that is due at its At.
type attempt struct {
	Delivery
	event *event
	hook  *hook // as it was at the event
}

// outbox holds what is to be delivered and what was delivered.
type outbox struct {
	queue  []attempt // by due time; equals in the order of their coming
	sent   []attempt
	timer  *time.Timer // runs until the first of queue is due
	client http.Client
}

// Deliveries returns every attempt to deliver an event to a webhook, in the order in which they
// fell due.
func (s *Server) Deliveries() []Delivery {
	return inspect(s, &s.outbox.sent, attempt.clone)
}

func (d Delivery) clone() Delivery {
	d.Header, d.Body = d.Header.Clone(), bytes.Clone(d.Body)
	return d
}

// Redeliver sends the event of Deliveries()[i] to its webhook once more, by hand: with a new
// timestamp and signature, as the next attempt. It is not retried if it fails; the returned
// Delivery says whether it did. The error is for an i that does not exist and for a webhook that
// was deleted. Do not call it from the receiver of a delivery.
func (s *Server) Redeliver(i int) (Delivery, error) {
	s.delivering <- struct{}{}
	defer func() { <-s.delivering }()
	sent := s.outbox.sent // nobody else appends to it now
	if i < 0 || i >= len(sent) {
		return Delivery{}, fmt.Errorf("clicknpstest: no delivery %d of %d", i, len(sent))
	}
	a := sent[i]
	s.mu.Lock()
	exists := s.exists(a.hook)
	s.mu.Unlock()
	if !exists {
		return Delivery{}, fmt.Errorf("clicknpstest: webhook %s was deleted", a.WebhookID)
	}
	a.Attempt = 1
	for _, earlier := range sent {
		if earlier.event == a.event && earlier.hook == a.hook {
			a.Attempt++
		}
	}
	batch := []attempt{a}
	s.deliver(batch, false)
	return batch[0].clone(), nil
}

// publish lets an event fall due at all webhooks that are subscribed to it. The caller holds s.mu.
func (s *Server) publish(kind clicknps.EventType, due time.Time, data any) {
	e := &event{id: s.store.newID("event"), createdAt: stored(time.Now()), data: data}
	for _, hook := range s.store.webhooks.items {
		if slices.Contains(hook.Events, kind) {
			d := Delivery{At: due, WebhookID: hook.ID, URL: hook.URL, Event: kind, Attempt: 1}
			s.outbox.add(attempt{d, e, hook})
		}
	}
	s.arm()
}

// postpone moves the delivery of r's click to r.announced, with r as it is now. The caller holds
// s.mu.
func (s *Server) postpone(r *response) {
	queue := s.outbox.queue
	for i, a := range queue {
		old, ok := a.event.data.(response)
		if ok && old.ID == r.ID && a.Event == clicknps.EventResponseCreated {
			queue[i].At, a.event.data = r.announced, *r
		}
	}
	slices.SortStableFunc(queue, func(a, b attempt) int { return a.At.Compare(b.At) })
	s.arm()
}

func (o *outbox) add(a attempt) {
	i, _ := slices.BinarySearchFunc(o.queue, a.At, func(q attempt, due time.Time) int {
		return cmp.Or(q.At.Compare(due), -1) // after its equals
	})
	o.queue = slices.Insert(o.queue, i, a)
}

// arm has the next delivery made when it falls due by the passing of time. The caller holds s.mu.
func (s *Server) arm() {
	o := &s.outbox
	if o.timer != nil {
		o.timer.Stop()
	}
	if s.ctx.Err() == nil && len(o.queue) > 0 {
		o.timer = time.AfterFunc(o.queue[0].At.Sub(s.now()), func() { s.Advance(0) })
	}
}

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
func (s *Server) nextBatch(goal time.Duration) (batch []attempt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, now, horizon := &s.outbox, time.Now(), goal
	for s.ctx.Err() == nil && len(o.queue) > 0 && len(batch) < maxConcurrent {
		next := o.queue[0]
		due := next.At.Sub(now)
		if due > horizon {
			break
		}
		o.queue = o.queue[1:]
		if !s.exists(next.hook) {
			continue
		}
		s.offset = max(s.offset, due)
		if len(batch) == 0 {
			horizon = min(goal, max(s.offset, due+together))
		}
		batch = append(batch, next)
	}
	return batch
}

// exists reports whether w was not deleted. The caller holds s.mu.
func (s *Server) exists(w *hook) bool { return s.store.webhooks.byID[w.ID] == w }

// deliver makes the attempts of batch concurrently, and queues the next one of each that fails, if
// retry is set. The caller holds the token of s.delivering, and not s.mu.
func (s *Server) deliver(batch []attempt, retry bool) {
	var wg sync.WaitGroup
	for i := range batch {
		wg.Go(func() { s.send(&batch[i]) })
	}
	wg.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outbox.sent = append(s.outbox.sent, batch...)
	for _, a := range batch {
		if retry && a.StatusCode/100 != 2 && a.Attempt <= len(retryDelays) {
			a.At = a.At.Add(retryDelays[a.Attempt-1])
			a.Attempt++
			s.outbox.add(a)
		}
	}
}

// send makes one attempt.
func (s *Server) send(a *attempt) {
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
	var resp *http.Response
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.URL, bytes.NewReader(a.Body))
	if err == nil {
		req.Header = a.Header.Clone()
		resp, err = client.Do(req)
	}
	if a.StatusCode, a.Err = 0, err; err == nil {
		a.StatusCode = resp.StatusCode
		_ = resp.Body.Close() // nothing of it is wanted
	}
}

// payload is the body of a as it is sent at the time of stamp.
func (a *attempt) payload(stamp time.Time) []byte {
	e := a.event
	if r, ok := e.data.(response); ok && a.Event == clicknps.EventResponseCreated {
		return jsonf(`{"survey_id":%s,"subject_id":%s,"score":%s,"comment":%s,"timestamp":%s}`,
			r.SurveyID, r.SubjectID, r.Score, orNull(r.Comment, ""), stamp.UTC().Format(isoMillis))
	}
	return jsonf(`{"id":%s,"type":%s,"created_at":%s,"data":%s}`,
		e.id, a.Event, e.createdAt.Format(isoMillis), e.data)
}

// handlerTransport answers requests by a handler.
type handlerTransport struct{ handler http.Handler }

// RoundTrip implements [http.RoundTripper].
func (t handlerTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	answered := make(chan struct{})
	got, problem := (*http.Response)(nil), connectionReset() // the result if the handler ends its goroutine
	go func() {
		defer close(answered)
		got, problem = serve(t.handler, r)
	}()
	select {
	case <-r.Context().Done():
		return nil, r.Context().Err()
	case <-answered:
		return got, problem
	}
}
