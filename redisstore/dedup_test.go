package redisstore

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
	"github.com/clicknps/go-sdk/webhook"
)

// deduperEnv makes the test's binary a process that receives an event and hangs in its handler.
const deduperEnv = "REDISSTORE_TEST_DEDUPER"

var _ webhook.Deduper = (*Deduper)(nil)

func newTestDeduper(t *testing.T, client redis.UniversalClient) *Deduper {
	t.Helper()
	d, err := NewDeduper(client, "events")
	require.NoError(t, err)
	return d
}

func claim(t *testing.T, d *Deduper, key, holder string, lease time.Duration) webhook.ClaimResult {
	t.Helper()
	result, err := d.Claim(t.Context(), key, holder, lease)
	require.NoError(t, err)
	return result
}

func TestDeduperKeepsTheContract(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		client, n := connect(t, m), 0
		clicknpstest.TestDeduper(t, clicknpstest.DeduperSuite{
			New: func() webhook.Deduper {
				n++
				d, err := NewDeduper(client, fmt.Sprint(n))
				require.NoError(t, err)
				return d
			},
			Advance: pass,
		})
	})
}

func TestClaimBelongsToItsHolder(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		one, other := newTestDeduper(t, connect(t, m)), newTestDeduper(t, connect(t, m))
		assert.Equal(t, webhook.ClaimGranted, claim(t, one, "a", "h1", time.Minute))
		assert.Equal(t, webhook.ClaimHeld, claim(t, other, "a", "h2", time.Minute))
		assert.Equal(t, webhook.ClaimHeld, claim(t, one, "a", "h2", time.Minute))
		assert.Equal(t, webhook.ClaimGranted, claim(t, other, "b", "h2", time.Minute))

		require.NoError(t, other.Release(t.Context(), "a", "h2"))
		require.NoError(t, other.Complete(t.Context(), "a", "h2", time.Minute))
		assert.Equal(t, webhook.ClaimHeld, claim(t, other, "a", "h2", time.Minute), "it is h1's still")
		require.NoError(t, one.Release(t.Context(), "a", "h1"))
		assert.Equal(t, webhook.ClaimGranted, claim(t, other, "a", "h2", time.Minute))
	})
}

func TestLeaseEndsUnlessItIsExtended(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		d := newTestDeduper(t, connect(t, m))
		require.Equal(t, webhook.ClaimGranted, claim(t, d, "a", "h1", time.Minute))
		pass(50 * time.Second)
		require.Equal(t, webhook.ClaimGranted, claim(t, d, "a", "h1", time.Minute))
		pass(59 * time.Second)
		assert.Equal(t, webhook.ClaimHeld, claim(t, d, "a", "h2", time.Minute))
		pass(time.Second)
		assert.Equal(t, webhook.ClaimGranted, claim(t, d, "a", "h2", time.Minute))

		require.NoError(t, d.Release(t.Context(), "a", "h1"))
		assert.Equal(t, webhook.ClaimHeld, claim(t, d, "a", "h3", time.Minute), "h1's release frees nobody else's claim")
		require.NoError(t, d.Complete(t.Context(), "a", "h1", time.Hour))
		assert.Equal(t, webhook.ClaimHeld, claim(t, d, "a", "h3", time.Minute), "nor does it complete it")
	})
}

func TestDoneStaysDone(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		d := newTestDeduper(t, connect(t, m))
		require.Equal(t, webhook.ClaimGranted, claim(t, d, "a", "h1", time.Minute))
		require.NoError(t, d.Complete(t.Context(), "a", "h1", time.Hour))
		require.NoError(t, d.Release(t.Context(), "a", "h1"))
		pass(30 * time.Minute)
		require.NoError(t, d.Complete(t.Context(), "a", "h1", time.Hour), "is recorded already")
		pass(30*time.Minute - time.Millisecond)
		assert.Equal(t, webhook.ClaimDone, claim(t, d, "a", "h1", time.Minute))
		assert.Equal(t, webhook.ClaimDone, claim(t, d, "a", "done", time.Minute))
		pass(time.Millisecond)
		assert.Equal(t, webhook.ClaimGranted, claim(t, d, "a", "done", time.Minute))
		assert.Equal(t, webhook.ClaimHeld, claim(t, d, "a", "h1", time.Minute), "a holder may have any name")
	})
}

func TestEventHandledAfterItsLeaseIsDone(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		d := newTestDeduper(t, connect(t, m))
		require.Equal(t, webhook.ClaimGranted, claim(t, d, "a", "h1", time.Minute))
		pass(2 * time.Minute)
		require.NoError(t, d.Complete(t.Context(), "a", "h1", time.Hour))
		assert.Equal(t, webhook.ClaimDone, claim(t, d, "a", "h2", time.Minute))
	})
}

func TestShortestLeaseIsAMillisecond(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		d := newTestDeduper(t, connect(t, m))
		for _, lease := range []time.Duration{-time.Second, 0, time.Microsecond, time.Millisecond} {
			require.Equal(t, webhook.ClaimGranted, claim(t, d, "a", "h1", lease))
			assert.Equal(t, time.Millisecond, m.TTL(m.Keys()[0]))
		}
		require.NoError(t, d.Complete(t.Context(), "a", "h1", 0))
		assert.Equal(t, time.Millisecond, m.TTL(m.Keys()[0]))
	})
}

func TestKeysOfPrefixesDoNotMeet(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		seen := map[string]string{}
		for _, p := range []string{"a", "a:", "a:b", "a:b:"} {
			d, err := NewDeduper(connect(t, m), p)
			require.NoError(t, err)
			for _, key := range []string{"", ":", "b:c", "c", ":c", strings.Repeat("long", 1_000)} {
				redisKey := d.redisKey(key)
				assert.Len(t, redisKey, len(p)+1+43)
				assert.Empty(t, seen[redisKey], "%q %q", p, key)
				seen[redisKey] = p + " " + key
				assert.Equal(t, webhook.ClaimGranted, claim(t, d, key, "h1", time.Hour))
			}
		}
		assert.Len(t, m.Keys(), 24)
	})
}

func TestDeduperTellsRedisErrors(t *testing.T) {
	inBubble(t, func(t *testing.T, m *miniredis.Miniredis) {
		d := newTestDeduper(t, connect(t, m))
		m.SetError(loading)
		result, err := d.Claim(t.Context(), "a", "h1", time.Hour)
		assert.EqualError(t, err, "redisstore: claiming an event: "+loading)
		assert.Zero(t, result)
		assert.EqualError(t, d.Complete(t.Context(), "a", "h1", time.Hour), "redisstore: completing an event: "+loading)
		assert.EqualError(t, d.Release(t.Context(), "a", "h1"), "redisstore: releasing an event: "+loading)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = d.Claim(ctx, "a", "h1", time.Hour)
		assert.ErrorIs(t, err, context.Canceled)
	})
}

func TestDeduperNeedsAClientAndAPrefix(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	defer client.Close()
	for _, try := range []func() (*Deduper, error){
		func() (*Deduper, error) { return NewDeduper(nil, "events") },
		func() (*Deduper, error) { return NewDeduper(client, "") },
	} {
		d, err := try()
		assert.ErrorIs(t, err, clicknps.ErrInvalidParams)
		assert.Nil(t, d)
	}
}

// Each event is handled by exactly one of many processes, on a real Redis.
func TestDeduperOfManyProcesses(t *testing.T) {
	t.Parallel()
	r := newRedis(t)
	var handled [100]atomic.Int32
	var wg sync.WaitGroup
	for process := range 8 {
		d := newTestDeduper(t, r.client(t))
		wg.Go(func() {
			for i := range handled {
				key, holder := fmt.Sprint(i), fmt.Sprint(process)
				for {
					result, err := d.Claim(t.Context(), key, holder, time.Minute)
					if !assert.NoError(t, err) || result == webhook.ClaimDone {
						break
					}
					if result == webhook.ClaimHeld {
						pass(time.Millisecond)
					} else if i%3 == process%3 { // fails
						assert.NoError(t, d.Release(t.Context(), key, holder))
						break
					} else {
						handled[i].Add(1)
						assert.NoError(t, d.Complete(t.Context(), key, holder, time.Minute))
					}
				}
			}
		})
	}
	wg.Wait()
	for i := range handled {
		assert.EqualValues(t, 1, handled[i].Load(), "event %d", i)
	}
}

const testSecret = "whsec_test"

// newTestReceiver returns a handler of deliveries that calls handle, as each process has it.
func newTestReceiver(client redis.UniversalClient, handle func()) (http.Handler, error) {
	d, err := NewDeduper(client, "events")
	if err != nil {
		return nil, err
	}
	v, err := webhook.NewVerifier([]string{testSecret}, webhook.WithDeduper(d))
	if err != nil {
		return nil, err
	}
	return v.Handler(func(context.Context, *webhook.Event) error { handle(); return nil }), nil
}

// deliver returns the status of the answer to a delivery.
func deliver(receiver http.Handler, body string) int {
	request := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	request.Header.Set(webhook.SignatureHeader, webhook.Sign(testSecret, []byte(body)))
	answer := httptest.NewRecorder()
	receiver.ServeHTTP(answer, request)
	return answer.Code
}

// runDeduper receives a delivery, and hangs in its handler until its standard input ends.
func runDeduper(config string) {
	addr, body, _ := strings.Cut(config, " ")
	receiver, err := newTestReceiver(redis.NewClient(&redis.Options{Addr: addr}), func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
	})
	if err != nil {
		panic(err)
	}
	deliver(receiver, body)
}

// A process that dies between Claim and Complete does not lose the event.
func TestEventOfAKilledProcessIsHandledByAnother(t *testing.T) {
	t.Parallel()
	r := newRedis(t)
	client, handled := r.client(t), 0
	receiver, err := newTestReceiver(client, func() { handled++ })
	require.NoError(t, err)
	body := fmt.Sprintf(`{"survey_id":"s","subject_id":"u","score":9,"comment":null,"timestamp":%q}`,
		time.Now().Format(time.RFC3339))

	first := spawn(t, deduperEnv, r.addr+" "+body)
	var keys []string
	await(t, "the first process has claimed the event", func() bool {
		keys = client.Keys(t.Context(), "events:*").Val()
		return len(keys) == 1
	})
	kill(first)
	assert.Equal(t, http.StatusServiceUnavailable, deliver(receiver, body), "to be delivered again")
	assert.Zero(t, handled)
	lease := client.PTTL(t.Context(), keys[0]).Val()
	assert.Greater(t, lease, time.Duration(0))
	assert.LessOrEqual(t, lease, 15*time.Minute)
	require.NoError(t, client.PExpire(t.Context(), keys[0], time.Millisecond).Err()) // as if so long had passed
	await(t, "the lease has ended", func() bool { return client.Exists(t.Context(), keys[0]).Val() == 0 })
	assert.Equal(t, http.StatusOK, deliver(receiver, body))
	assert.Equal(t, http.StatusOK, deliver(receiver, body))
	assert.Equal(t, 1, handled)
}

// A failover can lose a claim or what was completed: then an event is handled twice, and no claim of another is freed.
func TestClaimsAfterAFailover(t *testing.T) {
	t.Parallel()
	p := startPair(t)
	d := newTestDeduper(t, p.client(t))
	require.Equal(t, webhook.ClaimGranted, claim(t, d, "replicated", "h1", time.Minute))
	require.NoError(t, d.Complete(t.Context(), "replicated", "h1", time.Hour))
	replica := p.replica.client(t)
	await(t, "it is replicated", func() bool {
		return replica.Get(t.Context(), d.redisKey("replicated")).Val() == "done"
	})
	p.cut(t)
	require.Equal(t, webhook.ClaimGranted, claim(t, d, "lost", "h1", time.Minute))
	p.failOver()
	await(t, "the replica is the master", func() bool { return d.Release(t.Context(), "other", "h1") == nil })
	assert.Equal(t, webhook.ClaimDone, claim(t, d, "replicated", "h2", time.Minute))
	assert.Equal(t, webhook.ClaimGranted, claim(t, d, "lost", "h2", time.Minute))
	require.NoError(t, d.Complete(t.Context(), "lost", "h1", time.Minute))
	assert.Equal(t, webhook.ClaimHeld, claim(t, d, "lost", "h3", time.Minute), "it is h2's now")
}
