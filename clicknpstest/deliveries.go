package clicknpstest

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"github.com/clicknps/go-sdk"
)

// receiverTimeout is how long a receiver may take to answer a delivery.
const receiverTimeout = 10 * time.Second

// retryDelays follow the attempt before, on anything but a 2xx: eight attempts in all.
var retryDelays = []time.Duration{
	time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour,
}

// Delivery is one attempt to deliver an event to a webhook.
type Delivery struct {
	At         time.Time // in the fake's time
	WebhookID  string
	URL        string
	Event      clicknps.EventType // the flat body does not name it
	Header     http.Header        // as sent
	Body       []byte             // as sent
	Attempt    int                // 1 for the first
	StatusCode int                // of the receiver's answer; 0: there was none
	Err        error              // why there was no answer
}

// event is something that webhooks want to hear of.
type event struct {
	id        string
	kind      clicknps.EventType
	createdAt time.Time // in the receiver's time, as all that deliveries say of time
	response  *response
	survey    *survey
}

// attempt is a delivery that is due at some time.
type attempt struct {
	due       time.Time
	event     *event
	webhookID string // empty: to every webhook that exists when it is due
	number    int
}

// outbox holds what is to be delivered and what was.
type outbox struct {
	queue   []attempt // by due time; equals in the order of their coming
	sent    []sentAttempt
	timer   *time.Timer // runs until the first of queue is due
	client  *http.Client
	stopped bool
}

type sentAttempt struct {
	Delivery
	event *event
}

func newOutbox() outbox {
	return outbox{client: &http.Client{
		Timeout:       receiverTimeout,
		Transport:     &http.Transport{DisableKeepAlives: true}, // leaves no goroutine behind
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (o *outbox) add(a attempt) {
	i, _ := slices.BinarySearchFunc(o.queue, a.due, func(q attempt, due time.Time) int {
		return cmp.Or(q.due.Compare(due), -1) // after its equals
	})
	o.queue = slices.Insert(o.queue, i, a)
}

func (o *outbox) stop() {
	o.stopped = true
	if o.timer != nil {
		o.timer.Stop()
	}
}

// publish lets an event fall due. The caller holds s.mu.
func (s *Server) publish(kind clicknps.EventType, due time.Time, r *response, sv *survey) {
	e := &event{id: s.store.newID("event"), kind: kind, createdAt: stored(time.Now()), response: r, survey: sv}
	s.outbox.add(attempt{due: due, event: e})
	s.arm()
}

// arm has the next delivery made when it falls due by the passing of time. Without a webhook there is none.
// The caller holds s.mu.
func (s *Server) arm() {
	o := &s.outbox
	if o.stopped || len(o.queue) == 0 || len(s.store.webhooks.items) == 0 {
		return
	}
	if o.timer != nil {
		o.timer.Stop()
	}
	o.timer = time.AfterFunc(o.queue[0].due.Sub(s.now()), func() { s.Advance(0) })
}

// nextAttempt takes the next attempt that falls due until the fake's time is goal ahead, and moves time to it.
func (s *Server) nextAttempt(goal time.Duration) (a attempt, hook webhook, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := &s.outbox
	for !o.stopped && len(o.queue) > 0 {
		ahead := time.Until(o.queue[0].due)
		if ahead > goal {
			break
		}
		s.offset = max(s.offset, ahead)
		a, o.queue = o.queue[0], o.queue[1:]
		if a.webhookID == "" {
			s.address(a)
		} else if hook, ok := s.store.webhooks.byID[a.webhookID]; ok {
			return a, *hook, true
		}
	}
	return attempt{}, webhook{}, false
}

// address sends a's event, as it is now, to all webhooks that wanted it when it fell due. The caller holds s.mu.
func (s *Server) address(a attempt) {
	e := *a.event
	if e.response != nil {
		e.response = new(*e.response)
	}
	if e.survey != nil {
		e.survey = new(*e.survey)
	}
	for _, hook := range s.store.webhooks.items {
		if slices.Contains(hook.Events, string(e.kind)) && !hook.CreatedAt.After(a.due) {
			s.outbox.add(attempt{due: a.due, event: &e, webhookID: hook.ID, number: 1})
		}
	}
}
