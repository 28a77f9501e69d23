package clicknpstest

import (
	"bytes"
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/clicknps/go-sdk"
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
	hook  *wireWebhook // as it was at the event
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

// Redeliver sends the event of Deliveries()[i] to its webhook once more, by hand: with a new
// timestamp and signature, as the next attempt. It is not retried if it fails; the returned
// Delivery says whether it did. The error is for an i that does not exist and for a webhook that
// was deleted. Do not call it from the receiver of a delivery.
func (s *Server) Redeliver(i int) (Delivery, error) {
	s.delivering <- struct{}{}
	defer func() { <-s.delivering }()
	a, err := s.attemptAfter(i)
	if err != nil {
		return Delivery{}, err
	}
	a = s.send(a)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outbox.sent = append(s.outbox.sent, a)
	return a.clone(), nil
}

// attemptAfter is what Redeliver sends.
func (s *Server) attemptAfter(i int) (attempt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i < 0 || i >= len(s.outbox.sent) {
		return attempt{}, fmt.Errorf("clicknpstest: no delivery %d of %d", i, len(s.outbox.sent))
	}
	a := s.outbox.sent[i]
	if !s.exists(a.hook) {
		return attempt{}, fmt.Errorf("clicknpstest: webhook %s was deleted", a.hook.ID)
	}
	a.Attempt = 1
	for _, sent := range s.outbox.sent {
		if sent.event == a.event && sent.hook == a.hook {
			a.Attempt++
		}
	}
	return a, nil
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
