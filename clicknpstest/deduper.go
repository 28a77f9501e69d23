package clicknpstest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clicknps/go-sdk/webhook"
)

// DeduperSuite describes an implementation of [webhook.Deduper] to [TestDeduper].
type DeduperSuite struct {
	// New returns a Deduper that remembers nothing. Each check uses one of its own.
	New func() webhook.Deduper
	// Advance moves the Deduper's time forward. If it is nil, leases are 50 ms long and the suite
	// waits.
	Advance func(time.Duration)
}

// deduperChecks are the promises, each followed by a script: what the holders A, B and C do to one
// key, and what a claim must answer. Leases and the memory of what is done are long or short;
// "end" lets what is short end.
var deduperChecks = []string{
	"a key that is claimed is held for all others",
	"A claim long granted, B claim long held",
	"a holder may claim again",
	"A claim long granted, A claim long granted",
	"claiming again extends the lease",
	"A claim short granted, A claim long granted, end, B claim long held",
	"a claim ends with its lease",
	"A claim short granted, end, B claim long granted",
	"a holder whose lease has ended has no right to the claim of another",
	"A claim short granted, end, B claim long granted, A claim long held",
	"Release ends the claim",
	"A claim long granted, A release, B claim long granted",
	"Release does not end the claim of another",
	"A claim short granted, end, B claim long granted, A release, C claim long held",
	"Release does not forget what is done",
	"A claim long granted, A complete long, A release, B claim long done",
	"Release by a late holder does not forget what another has done",
	"A claim short granted, end, B claim long granted, B complete long, A release, C claim long done",
	"what is done is done for all",
	"A claim long granted, A complete long, B claim long done, A claim long done",
	"what is done outlives the lease",
	"A claim short granted, A complete long, end, B claim long done",
	"what is done is forgotten after its ttl",
	"A claim long granted, A complete short, end, B claim long granted",
	"Complete does not complete the claim of another",
	"A claim short granted, end, B claim long granted, A complete long, C claim long held, " +
		"B release, C claim long granted",
	"Complete counts after the lease if nobody has claimed the key since",
	"A claim short granted, end, A complete long, B claim long done",
}

// TestDeduper tests that a [webhook.Deduper] keeps its contract, like [testing/fstest.TestFS]. It
// calls t.Errorf for each promise that is broken.
func TestDeduper(t TB, s DeduperSuite) {
	t.Helper()
	if s.New == nil {
		t.Fatalf("clicknpstest: DeduperSuite.New is nil")
	}
	broken := func(promise string, err error) {
		if err != nil {
			t.Errorf("clicknpstest: Deduper: %s: %v", promise, err)
		}
	}
	for check := range slices.Chunk(deduperChecks, 2) {
		broken(check[0], s.play(s.New(), check[1]))
	}
	broken("keys do not touch each other", independentKeys(s.New()))
	broken("of concurrent claims one is granted", concurrentClaims(s.New()))
}

// play lets the holders of script use d.
func (s DeduperSuite) play(d webhook.Deduper, script string) (err error) {
	times, advance := map[string]time.Duration{"short": time.Minute, "long": time.Hour}, s.Advance
	if advance == nil {
		times["short"], advance = 50*time.Millisecond, func(d time.Duration) { <-time.After(d) }
	}
	results := map[string]webhook.ClaimResult{
		"granted": webhook.ClaimGranted, "held": webhook.ClaimHeld, "done": webhook.ClaimDone,
	}
	ctx := context.Background()
	for i, step := range strings.Split(script, ", ") {
		switch words := strings.Fields(step); words[len(words)-1] {
		case "end":
			advance(2 * times["short"])
		case "release":
			err = d.Release(ctx, "key", words[0])
		case "long", "short":
			err = d.Complete(ctx, "key", words[0], times[words[2]])
		default:
			err = wantClaim(d, "key", words[0], times[words[2]], results[words[3]])
		}
		if err != nil {
			return fmt.Errorf("step %d of %q: %w", i+1, script, err)
		}
	}
	return nil
}

func wantClaim(d webhook.Deduper, key, holder string, lease time.Duration, want webhook.ClaimResult) error {
	got, err := d.Claim(context.Background(), key, holder, lease)
	if err == nil && got != want {
		err = fmt.Errorf("claim by %s = %d, want %d", holder, got, want)
	}
	return err
}

func independentKeys(d webhook.Deduper) error {
	long := strings.Repeat("x", 10_000)
	keys := []string{"k", "K", "k:", ":k", "k k", "k:1", long + "1", long + "2"}
	for _, want := range []webhook.ClaimResult{webhook.ClaimGranted, webhook.ClaimHeld} {
		for i, key := range keys {
			holder := fmt.Sprintf("%d of %d", i, want)
			if err := wantClaim(d, key, holder, time.Hour, want); err != nil {
				return fmt.Errorf("key %.10q of %d bytes: %w", key, len(key), err)
			}
		}
	}
	return nil
}

func concurrentClaims(d webhook.Deduper) error {
	var granted, held atomic.Int32
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			switch got, _ := d.Claim(context.Background(), "key", fmt.Sprint(i), time.Hour); got {
			case webhook.ClaimGranted:
				granted.Add(1)
			case webhook.ClaimHeld:
				held.Add(1)
			}
		})
	}
	wg.Wait()
	if granted.Load() != 1 || held.Load() != 31 {
		return fmt.Errorf("of 32 claims %d are granted and %d held", granted.Load(), held.Load())
	}
	return nil
}
