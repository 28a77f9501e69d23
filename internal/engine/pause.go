package engine

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/clicknps/go-sdk/internal/backoff"
)

const (
	maxPause      = time.Hour   // no server is believed that asks for more
	probePatience = time.Second // how long other calls wait for a probe's answer
	longWait      = time.Second // a longer wait is logged before it begins
)

// pause holds back all calls of a client to a service while the server has asked for a wait. When
// it ends, one call goes first, the probe; the others go when it was answered.
type pause struct {
	mu    sync.Mutex
	began time.Time
	until time.Time // zero: the server asks for no wait
	probe *probe    // nil: none is under way
}

// probe is the attempt that goes first after a pause.
type probe struct {
	pause   *pause
	until   time.Time     // the end of the pause that it probes
	waiting chan struct{} // closed when the outcome is known
}

// begin pauses for d from now on. It never cuts a pause short.
func (p *pause) begin(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.began = time.Now()
	if until := p.began.Add(min(d, maxPause)); until.After(p.until) {
		p.until = until
	}
}

// wait waits until an attempt may be made. It fails at once with a [backoff.RefusedError] if the
// wait would be longer than longest or outlive ctx's deadline, and when ctx ends.
func (p *pause) wait(
	ctx context.Context, longest time.Duration, logger *slog.Logger, operation string,
) error {
	for {
		left, probe := p.state(longest)
		switch {
		case left > 0:
			if err := backoff.Check(ctx, left, longest); err != nil {
				return err
			}
			if left > longWait {
				logger.InfoContext(ctx, "clicknps: waiting, as the server has asked",
					"operation", operation, "wait", left)
			}
			if err := Sleep(ctx, left); err != nil {
				return err
			}
		case probe != nil:
			if err := probe.wait(ctx); err != nil {
				return err
			}
		default:
			return cancellation(ctx)
		}
	}
}

// state returns how long the pause lasts, or the probe to wait for. It is 0 and nil if an attempt
// may be made.
func (p *pause) state(longest time.Duration) (left time.Duration, probe *probe) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.until.IsZero() { // as it usually is, and reading the clock costs time
		return 0, nil
	}
	now := time.Now()
	if now.Before(p.until) && (p.probe != nil || now.Sub(p.began) < longest) {
		return p.until.Sub(now), nil
	}
	return 0, p.probe
}

// enter reports whether an attempt may be made now. If it is a probe, done must be called when its
// outcome is known. After longest, a pause that still lasts admits a probe: no answer bars a
// client for good.
func (p *pause) enter(longest time.Duration) (_ *probe, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.until.IsZero() {
		return nil, true
	}
	now := time.Now()
	if p.probe != nil || now.Before(p.until) && now.Sub(p.began) < longest {
		return nil, false
	}
	p.began = now
	p.probe = &probe{p, p.until, make(chan struct{})}
	return p.probe, true
}

// done ends the probe. If the server has let it in, that ends the pause, unless another 429 has
// made it longer meanwhile.
func (pr *probe) done(endsPause bool) {
	p := pr.pause
	p.mu.Lock()
	defer p.mu.Unlock()
	close(pr.waiting)
	if p.probe == pr {
		p.probe = nil
	}
	if endsPause && p.until.Equal(pr.until) {
		p.until = time.Time{}
	}
}

// wait waits until the outcome of the probe is known. After probePatience another call may be the
// probe.
func (pr *probe) wait(ctx context.Context) error {
	timer := time.NewTimer(probePatience)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return cancellation(ctx)
	case <-pr.waiting:
	case <-timer.C:
		pr.pause.forget(pr)
	}
	return nil
}

func (p *pause) forget(pr *probe) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.probe == pr {
		p.probe = nil
	}
}
