package redisstore

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

//go:embed acquire.lua
var acquireSource string

var (
	acquireScript = redis.NewScript(acquireSource)
	// KEYS are as in acquire.lua. ARGV[1] is how long (ms) the permits must be kept. Then come, for each
	// permit, its id and how long ago (ms) it was answered, or 'unsent'.
	releaseScript = redis.NewScript(`
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
for i = 2, #ARGV, 2 do
  if ARGV[i + 1] == 'unsent' then
    redis.call('ZREM', KEYS[1], ARGV[i])
  else
    redis.call('ZADD', KEYS[1], now - ARGV[i + 1], ARGV[i])
  end
end
redis.call('PEXPIRE', KEYS[1], math.max(redis.call('PTTL', KEYS[1]), ARGV[1]))
return {}`)

	errNoAnswer = errors.New("no answer within " + patience.String())
)

// Away is what a [Limiter] does while Redis does not answer.
type Away struct{ processes int } // 0: stop

// Stop makes Acquire fail with Redis' error while Redis does not answer.
var Stop Away

// FairShare goes on without Redis: each of n processes has an equal share of the plan, so n must
// not be less than the number of processes. A process first waits until the shortest window of the
// plan has passed, as nobody knows what the others have just sent, and leaves out its part of what
// may have been used of the hour. Within about a second after Redis answers again, each process
// tells it what was sent meanwhile. The quota is kept if Redis is away for all processes at once,
// and if no process starts or dies meanwhile. With n < 1 it is [Stop].
func FairShare(n int) Away { return Away{max(n, 0)} }

// share is one process' part of the plan.
type share struct {
	rules   []rule
	reserve int                  // of the last rule
	counts  map[string]time.Time // permits: when they were answered or, until then, when their leases end
}

// newShare returns a share. used is how many requests may count in the longest window now.
func newShare(rules []rule, reserve, processes, used int, now time.Time) *share {
	part := func(n int) int { return (n + processes - 1) / processes }
	s := &share{reserve: part(reserve), counts: make(map[string]time.Time)}
	for _, r := range rules {
		s.rules = append(s.rules, rule{r.limit / processes, r.window})
	}
	for i := range max(s.rules[0].limit, part(used)) {
		s.counts[fmt.Sprint("used:", i)] = now
	}
	return s
}

// acquire grants a permit, or returns how long one takes if requests under way are answered now.
func (s *share) acquire(id string, bulk bool, lease time.Duration, now time.Time) (wait time.Duration) {
	longest := s.rules[len(s.rules)-1]
	maps.DeleteFunc(s.counts, func(_ string, at time.Time) bool { return now.Sub(at) >= longest.window })
	times := slices.SortedFunc(maps.Values(s.counts), time.Time.Compare)
	for _, r := range s.rules {
		if bulk && r == longest {
			r.limit -= s.reserve
		}
		if r.limit <= 0 {
			wait = max(wait, r.window)
		} else if len(times) >= r.limit {
			wait = max(wait, r.window-max(0, now.Sub(times[len(times)-r.limit])))
		}
	}
	if wait == 0 {
		s.counts[id] = now.Add(lease)
	}
	return wait
}

// try asks Redis for a permit or, while it is away, does what WhenAway says. The wait is 0 if the
// permit is granted. When Redis has just failed, only the first try of a call asks it.
func (l *Limiter) try(ctx context.Context, id string, kept int, first bool) (wait time.Duration, err error) {
	l.mu.Lock()
	err = l.failure
	ask := l.share == nil && (err == nil || first || time.Since(l.failed) >= lookAgain)
	l.mu.Unlock()
	if ask {
		wait, _, err = l.ask(ctx, id, kept)
	}
	if ctx.Err() != nil {
		l.release(id, false)
		return 0, ended(ctx)
	}
	if ask && err == nil || l.away == Stop {
		return wait, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if l.share == nil {
		l.share = newShare(l.rules, l.reserve, l.away.processes, l.mayBeUsed(now), now)
		go l.rejoin()
	}
	return l.share.acquire(id, kept > 0, l.lease, now), nil
}

// rejoin ends the share as soon as Redis answers.
func (l *Limiter) rejoin() {
	for err := errNoAnswer; err != nil && !errors.Is(err, redis.ErrClosed); {
		<-time.After(lookAgain)
		_, _, err = l.ask(context.Background(), "", 0)
	}
}

// mayBeUsed is how many requests may count in the longest window by now. l.mu is held.
func (l *Limiter) mayBeUsed(now time.Time) int {
	windows := int64(now.Sub(l.usedAt)/l.rules[0].window) + 1
	return int(min(int64(l.rules[len(l.rules)-1].limit), l.used+windows*int64(l.rules[0].limit)))
}

// ask tells Redis of the share, if there is one, and asks for a permit. If id is empty, it only
// asks for what is left of each rule.
func (l *Limiter) ask(ctx context.Context, id string, kept int) (_ time.Duration, left []int64, err error) {
	l.mu.Lock()
	now, last := time.Now(), l.last
	args := []any{l.process, id, kept, l.lease.Milliseconds(), last, l.mayBeUsed(now), l.share != nil}
	untold := maps.Clone(l.untold)
	if l.share != nil {
		for id, at := range l.share.counts {
			if strings.HasPrefix(id, l.process) {
				untold[id] = now.Sub(at).Milliseconds()
			}
		}
	}
	l.mu.Unlock()
	for _, r := range l.rules {
		args = append(args, r.limit, r.window.Milliseconds())
	}
	var n []int64
	if len(untold) > 0 {
		err = l.tell(ctx, untold)
	}
	if err == nil {
		n, err = l.run(ctx, acquireScript, args)
	}
	if err == nil && len(n) != 3+len(l.rules) {
		err = fmt.Errorf("redisstore: the acquire script returned %d numbers", len(n))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		if ctx.Err() == nil {
			l.failure, l.failed = err, time.Now()
		}
		return 0, nil, err
	}
	if n[0] != last { // else another answer may know better
		l.last = n[0]
	}
	l.used, l.usedAt, l.failure, l.share = n[1], now, nil, nil
	return time.Duration(n[2]) * time.Millisecond, n[3:], nil
}

// release notes what came of a permit, and has Redis told in the background. If that fails, the
// permit counts until its lease ends, or the share is told later.
func (l *Limiter) release(id string, sent bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	told := map[string]any{id: "unsent"}
	if sent {
		told[id] = 0
	}
	l.untold[id] = told[id]
	if l.share != nil && sent {
		l.share.counts[id] = time.Now()
	} else if l.share != nil {
		delete(l.share.counts, id)
	}
	go func() {
		_ = l.tell(context.Background(), told)
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.untold, id)
	}()
}

func (l *Limiter) tell(ctx context.Context, untold map[string]any) error {
	args := []any{(l.rules[len(l.rules)-1].window + l.lease).Milliseconds()}
	for id, ago := range untold {
		args = append(args, id, ago)
	}
	_, err := l.run(ctx, releaseScript, args)
	return err
}

// run runs a script that returns numbers. A client can take much longer than patience to say that
// Redis is away. What the script still does then is harmless.
func (l *Limiter) run(parent context.Context, script *redis.Script, args []any) (numbers []int64, err error) {
	ctx, cancel := context.WithTimeout(parent, patience)
	defer cancel()
	done := make(chan *redis.Cmd, 1)
	go func() { done <- script.Run(ctx, l.client, l.keys, args...) }()
	select {
	case cmd := <-done:
		if numbers, err = cmd.Int64Slice(); err == nil {
			return numbers, nil
		}
	case <-ctx.Done():
	}
	if parent.Err() != nil {
		return nil, ended(parent)
	} else if ctx.Err() != nil {
		err = errNoAnswer
	}
	return nil, fmt.Errorf("redisstore: asking Redis for the rate limit: %w", err)
}
