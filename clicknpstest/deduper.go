package clicknpstest

import (
	"context"
	"fmt"
	"strings"
	"sync"
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

// deduperChecks are the promises, each with a script: what the holders A, B and C do to one key, and
// what a claim (a long or short lease) must answer. What is completed is remembered for long or short;
// "end" lets what is short end.
var deduperChecks = [][2]string{
	{"a key that is claimed is held for all others", "A long granted, B long held"},
	{"a holder may claim again", "A long granted, A long granted"},
	{"claiming again extends the lease", "A short granted, A long granted, end, B long held"},
	{"a claim ends with its lease", "A short granted, end, B long granted"},
	{"who claims too late has no right to another's claim", "A short granted, end, B long granted, A long held"},
	{"Release ends the claim", "A long granted, A release, B long granted"},
	{
		"Release does not end the claim of another",
		"A short granted, end, B long granted, A release, C long held",
	},
	{"Release does not forget what is done", "A long granted, A complete long, A release, B long done"},
	{
		"Release by a late holder does not forget what another has done",
		"A short granted, end, B long granted, B complete long, A release, C long done",
	},
	{"what is done is done for all", "A long granted, A complete long, B long done, A long done"},
	{"what is done outlives the lease", "A short granted, A complete long, end, B long done"},
	{"what is done is forgotten after its ttl", "A long granted, A complete short, end, B long granted"},
	{
		"Complete does not complete the claim of another",
		"A short granted, end, B long granted, A complete long, C long held, B release, C long granted",
	},
	{
		"Complete counts after the lease if nobody has claimed the key since",
		"A short granted, end, A complete long, B long done",
	},
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
	for _, check := range deduperChecks {
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
			err = wantClaim(d, "key", words[0], times[words[1]], results[words[2]])
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
	results := make([]webhook.ClaimResult, 32)
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() { results[i], _ = d.Claim(context.Background(), "key", fmt.Sprint(i), time.Hour) })
	}
	wg.Wait()
	count := map[webhook.ClaimResult]int{}
	for _, result := range results {
		count[result]++
	}
	if granted, held := count[webhook.ClaimGranted], count[webhook.ClaimHeld]; granted != 1 || held != 31 {
		return fmt.Errorf("of 32 claims %d are granted and %d held", granted, held)
	}
	return nil
}
