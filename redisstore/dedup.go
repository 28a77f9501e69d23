package redisstore

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/clicknps/go-sdk/webhook"
)

// The value of a key is "done", or "held:" and the claim's holder. Running a script twice has the
// effect of running it once: the client repeats a script whose answer was lost.
var (
	claimScript = redis.NewScript(`
local value = redis.call('GET', KEYS[1])
if value and value ~= ARGV[1] then
  return value
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]`)

	// An event whose lease has ended was handled all the same, unless another holder has claimed it since.
	completeScript = redis.NewScript(`
local value = redis.call('GET', KEYS[1])
if not value or value == ARGV[1] then
  redis.call('SET', KEYS[1], 'done', 'PX', ARGV[2])
end
return 0`)

	unclaimScript = redis.NewScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('DEL', KEYS[1])
end
return 0`)
)

// Deduper is a [webhook.Deduper] for any number of processes. The package comment says what to
// expect when Redis fails. It is safe for concurrent use.
type Deduper struct {
	client redis.UniversalClient
	prefix string
}

// NewDeduper returns a deduper for all processes that use the same Redis and prefix. Its Redis
// keys are the prefix, a colon, and a hash of the event's key. Use a prefix of its own for each
// account: keys of events are unique within one account only. NewDeduper does not ask Redis. If
// client is nil or prefix is empty, the error is [clicknps.ErrInvalidParams].
//
// [clicknps.ErrInvalidParams]: https://pkg.go.dev/github.com/clicknps/go-sdk#ErrInvalidParams
func NewDeduper(client redis.UniversalClient, prefix string) (*Deduper, error) {
	if client == nil || prefix == "" {
		return nil, invalid("NewDeduper", "needs a client and a prefix")
	}
	return &Deduper{client: client, prefix: prefix}, nil
}

// Claim claims key for holder until lease, at least a millisecond, has passed. If holder has the
// claim already, Claim extends it. After an error the claim may have been made: call Claim again
// or Release with the same holder.
func (d *Deduper) Claim(
	ctx context.Context, key, holder string, lease time.Duration,
) (webhook.ClaimResult, error) {
	value, err := d.run(ctx, claimScript, key, held(holder), milliseconds(lease)).Text()
	switch {
	case err != nil:
		return 0, fmt.Errorf("redisstore: claiming an event: %w", err)
	case value == "done":
		return webhook.ClaimDone, nil
	case value == held(holder):
		return webhook.ClaimGranted, nil
	}
	return webhook.ClaimHeld, nil
}

// Complete records for ttl, at least a millisecond, that the event was handled. It has no effect
// if another holder has claimed it since, or if it is recorded already. It may be called again
// after an error.
func (d *Deduper) Complete(ctx context.Context, key, holder string, ttl time.Duration) error {
	if err := d.run(ctx, completeScript, key, held(holder), milliseconds(ttl)).Err(); err != nil {
		return fmt.Errorf("redisstore: completing an event: %w", err)
	}
	return nil
}

// Release ends the claim of holder. It has no effect if holder has none, or if the event was
// handled. It may be called again after an error.
func (d *Deduper) Release(ctx context.Context, key, holder string) error {
	if err := d.run(ctx, unclaimScript, key, held(holder)).Err(); err != nil {
		return fmt.Errorf("redisstore: releasing an event: %w", err)
	}
	return nil
}

func (d *Deduper) run(ctx context.Context, script *redis.Script, key string, args ...any) *redis.Cmd {
	return script.Run(ctx, d.client, []string{d.redisKey(key)}, args...)
}

// redisKey has a fixed length after the prefix, so that no two prefixes can share a key.
func (d *Deduper) redisKey(key string) string {
	sum := sha256.Sum256([]byte(key))
	return d.prefix + ":" + base64.RawURLEncoding.EncodeToString(sum[:])
}

func held(holder string) string { return "held:" + holder }

func milliseconds(d time.Duration) int64 { return max(d.Milliseconds(), 1) }
