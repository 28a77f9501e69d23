package redisstore

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// A visit asks for few slots at a time, so that a process with a long line does not take all.
const (
	maxWaiting = 16 // for requests that wait
	maxAhead   = 16 // for those to come, if many came lately
)

//go:embed limiter.lua
var limiterSource string

var limiterScript = redis.NewScript(limiterSource)

var errNoAnswer = errors.New("no answer within " + patience.String())

// visit is one run of the script. A process makes one at a time: what happens meanwhile waits for the next.
type visit struct {
	started  time.Time
	question question
	answered map[string]time.Time
	judged   []*waiter // in the order of the question's positions
	reading  *reading  // or nil
	done     chan struct{}
	err      error // set before done is closed
}

// question is what the script is asked. Its times are milliseconds.
type question struct {
	Process     string           `json:"process"`
	First       int              `json:"first"`       // number of the next slot of this process
	Waiting     int              `json:"waiting"`     // requests that wait for a slot
	Interactive int              `json:"interactive"` // of all that wait, those that go first
	Ahead       int              `json:"ahead"`       // slots that are wanted besides, if there are plenty
	Lease       int64            `json:"lease"`
	Rules       []scriptRule     `json:"rules"`
	Answered    map[string]int64 `json:"answered"` // how long ago
	Unused      []string         `json:"unused"`
	Positions   []int            `json:"positions"` // in line, whose wait is to be told
	Ages        bool             `json:"ages"`      // whether to tell those of the slots
	Witness     *witness         `json:"witness,omitempty"`
	Used        int              `json:"used"`   // requests that the longest window may have seen, at most
	Alone       bool             `json:"alone"`  // processes may have used their shares
	Settle      int64            `json:"settle"` // how long they may take to come back, one after the other
}

type scriptRule struct {
	Limit   int   `json:"limit"`
	Window  int64 `json:"window"`
	Reserve int   `json:"reserve"` // of the limit
}

func (r scriptRule) limit(lane lane) int {
	if lane == interactive {
		return r.Limit
	}
	return r.Limit - r.Reserve
}

// witness is the slot that was handed out last. It stays in Redis for a window, unless Redis loses its memory. That Redis
// has been told of an answer is no witness: a slot that was leased before Redis' last writes is still there without them.
type witness struct {
	ID string `json:"id"`
	At int64  `json:"at"` // when it was granted, by Redis' clock
}

// reply is what the script answers.
type reply struct {
	Now      int64   `json:"now"`
	Granted  int     `json:"granted"`
	Reserved int     `json:"reserved"` // of those granted, the last ones: they are of the reserve
	Used     int     `json:"used"`
	Next     int64   `json:"next"` // wait of the first request that got no slot
	Left     []int   `json:"left"` // of each rule; less than none after a loss
	Waits    []int64 `json:"waits"`
	Ages     []int64 `json:"ages"` // how long ago each slot's request was answered, the oldest first; 0: it is in flight
}

// usage is how much of the longest window's quota the fleet had used at a time.
type usage struct {
	slots int
	at    time.Time
}

// begin begins a visit; there is none under way. l.mu is held.
func (l *Limiter) begin(now time.Time) *visit {
	v := &visit{started: now, done: make(chan struct{}), answered: make(map[string]time.Time, len(l.answered))}
	v.question = question{
		Process:     l.process,
		First:       l.leased,
		Waiting:     min(l.line.len(), maxWaiting),
		Interactive: l.line[interactive].Len(),
		Lease:       (l.attemptTimeout + patience + hold).Milliseconds(),
		Answered:    make(map[string]int64, len(l.answered)),
		Unused:      append([]string{}, l.unused...),
		Positions:   []int{},
		Witness:     l.witness,
		Used:        l.mayBeUsed(now),
		Alone:       l.share != nil && now.Sub(l.known.at) >= l.rules[0].window,
		Ages:        l.reading != nil && l.reading.ages,
		Settle:      (2 * (retryEvery + patience)).Milliseconds(),
	}
	var longest time.Duration
	for _, r := range l.rules {
		longest = r.window + margin
		v.question.Rules = append(v.question.Rules, scriptRule{Limit: r.limit, Window: longest.Milliseconds()})
	}
	v.question.Rules[len(l.rules)-1].Reserve = l.reserve
	for id, at := range l.answered {
		if now.Sub(at) > longest {
			delete(l.answered, id)
			continue
		}
		v.answered[id], v.question.Answered[id] = at, now.Sub(at).Milliseconds()
	}
	if v.question.Waiting > 0 {
		if now.Sub(l.askedAt) < hold {
			v.question.Ahead = min(l.handed, maxAhead)
		}
		l.handed, l.askedAt, l.askAt = 0, now, time.Time{}
		l.askPositions(v)
	}
	l.tellAt = now.Add(tellAfter)
	l.visit, l.reading, v.reading = v, nil, l.reading
	go l.run(v)
	return v
}

// askPositions asks how long those with a deadline will have to wait at least.
func (l *Limiter) askPositions(v *visit) {
	position := 0
	for w := range l.line.waiting() {
		position++
		if !w.deadline.IsZero() {
			v.judged = append(v.judged, w)
			v.question.Positions = append(v.question.Positions, position)
		}
	}
}

// mayBeUsed is how many requests the longest window may have seen by now, at most, if Redis can't be asked.
func (l *Limiter) mayBeUsed(now time.Time) int {
	shortest, longest := l.rules[0], l.rules[len(l.rules)-1]
	windows := int(now.Sub(l.known.at)/shortest.window) + 1
	return min(longest.limit, l.known.slots+windows*shortest.limit)
}

func (l *Limiter) run(v *visit) {
	answer, err := l.ask(&v.question)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.visit, v.err = nil, err
	if now := time.Now(); err == nil {
		l.learn(v, answer, now)
	} else {
		l.doWithout(err, now)
	}
	close(v.done)
	if v.reading != nil {
		v.reading.finish(l, v, answer)
	}
	l.step()
}

// ask runs the script. A client can take much longer than patience to say that Redis is away; what the script then still
// does is harmless.
func (l *Limiter) ask(q *question) (*reply, error) {
	arg, err := json.Marshal(q)
	if err != nil {
		return nil, fmt.Errorf("redisstore: %w", err)
	}
	type result struct {
		text string
		err  error
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), patience, errNoAnswer)
	defer cancel()
	done := make(chan result, 1)
	go func() {
		text, err := limiterScript.Run(ctx, l.client, []string{l.key}, arg).Text()
		done <- result{text, err}
	}()
	var res result
	select {
	case res = <-done:
	case <-ctx.Done():
		res.err = context.Cause(ctx)
	}
	if res.err != nil {
		return nil, fmt.Errorf("redisstore: asking Redis for room under the limit: %w", res.err)
	}
	var answer reply
	if err := json.Unmarshal([]byte(res.text), &answer); err != nil {
		return nil, fmt.Errorf("redisstore: the script's answer: %w", err)
	}
	return &answer, nil
}

// learn takes over what a visit brought.
func (l *Limiter) learn(v *visit, answer *reply, now time.Time) {
	q := &v.question
	l.share = nil
	l.known = usage{answer.Used, v.started}
	for id, at := range v.answered {
		if l.answered[id].Equal(at) {
			delete(l.answered, id)
		}
	}
	l.unused = l.unused[len(q.Unused):]
	for i := range answer.Granted {
		l.spare = append(l.spare, slot{
			id:        fmt.Sprintf("%s:%d", l.process, q.First+i),
			grantedAt: answer.Now,
			useBy:     now.Add(hold),
			reserved:  i >= answer.Granted-answer.Reserved,
		})
	}
	l.leased += answer.Granted
	l.serve(now)
	for i, w := range v.judged {
		if w.place != nil {
			l.judge(w, now, time.Duration(answer.Waits[i])*time.Millisecond)
		}
	}
	if l.askAt.IsZero() { // else somebody came during the visit who is to be asked for at once
		l.askAt = now
		next := time.Duration(answer.Next) * time.Millisecond
		if next > 0 && (l.line[interactive].Len() == 0 || q.Interactive > answer.Granted) { // that of the line's first
			l.askAt = now.Add(max(askSeldom, min(next, max(next/4, askEvery))))
		}
	}
}

// doWithout does without Redis what the user chose. The next visit asks for the same slots again: if this one did
// arrive, they are there.
func (l *Limiter) doWithout(err error, now time.Time) {
	l.retryAt = now.Add(retryEvery)
	if l.away.processes > 0 {
		if l.share == nil {
			l.share = newShare(l.rules, l.reserve, l.away.processes, l.mayBeUsed(now), now)
		}
		return
	}
	for w := range l.line.waiting() {
		l.settle(w, slot{}, err)
	}
}
