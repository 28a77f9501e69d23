package clicknpstest_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clicknps/go-sdk/clicknpstest"
	"github.com/clicknps/go-sdk/webhook"
	"github.com/stretchr/testify/assert"
)

// deduper is a [webhook.Deduper] in memory, right but for its bug.
type deduper struct {
	bug    string
	mu     sync.Mutex
	claims map[string]claim
}

type claim struct {
	holder string
	done   bool
	ends   time.Time
}

func newDeduper(bug string) func() webhook.Deduper {
	return func() webhook.Deduper { return &deduper{bug: bug, claims: map[string]claim{}} }
}

func (d *deduper) Claim(_ context.Context, key, holder string, lease time.Duration) (webhook.ClaimResult, error) {
	switch d.bug {
	case "fails":
		return 0, errors.New("no connection")
	case "knows one key":
		key = ""
	case "cuts keys":
		key = key[:min(len(key), 1000)]
	case "does not lock":
		_, taken := d.get(key)
		<-time.After(1) // all others do so, too
		if !taken {
			d.set(key, claim{holder: holder, ends: time.Now().Add(lease)})
			return webhook.ClaimGranted, nil
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	c, ok := d.claims[key]
	live := ok && (time.Now().Before(c.ends) || d.bug == "never expires" || d.bug == "done never expires" && c.done ||
		d.bug == "a lease never expires" && !c.done)
	switch {
	case d.bug == "grants always":
	case d.bug == "holds its own" && live && !c.done:
		return webhook.ClaimHeld, nil
	case live && c.done && d.bug == "says held for done":
		return webhook.ClaimHeld, nil
	case live && c.done:
		return webhook.ClaimDone, nil
	case live && c.holder != holder:
		return webhook.ClaimHeld, nil
	case live && d.bug == "does not extend":
		return webhook.ClaimGranted, nil
	}
	d.claims[key] = claim{holder: holder, ends: time.Now().Add(lease)}
	return webhook.ClaimGranted, nil
}

func (d *deduper) get(key string) (claim, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c, ok := d.claims[key]
	return c, ok
}

func (d *deduper) set(key string, c claim) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.claims[key] = c
}

func (d *deduper) Complete(_ context.Context, key, holder string, ttl time.Duration) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	c, ok := d.claims[key]
	live := ok && time.Now().Before(c.ends)
	switch {
	case d.bug == "completes another's" && live && c.holder != holder:
	case live && c.holder != holder:
		return nil
	case d.bug == "completes within the lease only" && !live:
		return nil
	case d.bug == "forgets done":
		delete(d.claims, key)
		return nil
	case d.bug == "done ends with the lease":
		d.claims[key] = claim{holder: holder, done: true, ends: c.ends}
		return nil
	}
	d.claims[key] = claim{holder: holder, done: true, ends: time.Now().Add(ttl)}
	return nil
}

func (d *deduper) Release(_ context.Context, key, holder string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	c, ok := d.claims[key]
	switch {
	case !ok, d.bug == "does not release":
	case d.bug == "frees another's" && !c.done:
		delete(d.claims, key)
	case d.bug == "frees done" && c.done && c.holder == holder:
		delete(d.claims, key)
	case d.bug == "frees another's done" && c.done && c.holder != holder:
		delete(d.claims, key)
	case c.holder == holder && !c.done:
		delete(d.claims, key)
	}
	return nil
}

func TestTheDeduperSuitePassesWhatIsRight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clicknpstest.TestDeduper(t, clicknpstest.DeduperSuite{New: newDeduper("")})
		begin := time.Now()
		clicknpstest.TestDeduper(t, clicknpstest.DeduperSuite{
			New:     newDeduper(""),
			Advance: func(d time.Duration) { until(time.Now().Add(d)) },
		})
		assert.Equal(t, 18*time.Minute, time.Since(begin), "leases are a minute long")
	})
}

func TestTheDeduperSuiteNamesWhatIsWrong(t *testing.T) {
	for bug, promise := range map[string]string{
		"fails":                           `Release ends the claim: step 1 of "A long granted, A release, B long granted": no connection`,
		"knows one key":                   "keys do not touch each other",
		"cuts keys":                       "keys do not touch each other",
		"does not lock":                   "of concurrent claims one is granted",
		"never expires":                   `a claim ends with its lease: step 3 of "A short granted, end, B long granted": claim by B = 2, want 1`,
		"a lease never expires":           "a claim ends with its lease",
		"done never expires":              "what is done is forgotten after its ttl",
		"grants always":                   "a key that is claimed is held for all others",
		"holds its own":                   "a holder may claim again",
		"does not extend":                 "claiming again extends the lease",
		"says held for done":              "what is done is done for all",
		"forgets done":                    "what is done is done for all",
		"done ends with the lease":        "what is done outlives the lease",
		"completes another's":             "Complete does not complete the claim of another",
		"completes within the lease only": "Complete counts after the lease if nobody has claimed the key since",
		"does not release":                "Release ends the claim",
		"frees another's":                 "Release does not end the claim of another",
		"frees done":                      "Release does not forget what is done",
		"frees another's done":            "Release by a late holder does not forget what another has done",
	} {
		synctest.Test(t, func(t *testing.T) {
			failed := &recordingTB{}
			clicknpstest.TestDeduper(failed, clicknpstest.DeduperSuite{New: newDeduper(bug)})
			assert.Contains(t, strings.Join(failed.errors, "\n"), "clicknpstest: Deduper: "+promise, bug)
		})
	}
	failed := &recordingTB{}
	assert.Panics(t, func() { clicknpstest.TestDeduper(failed, clicknpstest.DeduperSuite{}) })
	assert.Equal(t, "clicknpstest: DeduperSuite.New is nil", failed.message)
}
