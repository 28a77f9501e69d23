package redisstore

import (
	"container/list"
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// remembered bounds the claims that a process remembers, to about 2 MiB.
const remembered = 10_000

// A claim is its claimant's token. Asking twice with the same token is one claim: the client repeats a script whose
// answer was lost.
var (
	claimScript = redis.NewScript(`
local holder = redis.call('GET', KEYS[1])
if holder then
  return holder == ARGV[1] and 1 or 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`)
	releaseScript = redis.NewScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0`)
)

// Deduper is a [clicknps.Deduper] for any number of processes. See the package's comment for what to expect of it when Redis
// fails. It is safe for concurrent use.
//
// [clicknps.Deduper]: https://pkg.go.dev/github.com/clicknps/go-sdk#Deduper
type Deduper struct {
	client redis.UniversalClient
	prefix string

	mu     sync.Mutex
	claims map[string]*list.Element
	oldest list.List // of *claim: those that were made last are at its back
}

// claim is what a process knows of a key that it has claimed, or tried to.
type claim struct {
	key, token string
	made       bool // Redis has said so; else it may have been made all the same
}

// NewDeduper returns a deduper whose claims are Redis keys that begin with prefix. Processes with the same Redis and
// prefix share their claims. Redis is not asked before the first Claim. No client is [clicknps.ErrInvalidParams].
func NewDeduper(client redis.UniversalClient, prefix string) (*Deduper, error) {
	if client == nil {
		return nil, invalid("NewDeduper", "needs a client")
	}
	return &Deduper{client: client, prefix: prefix, claims: make(map[string]*list.Element)}, nil
}

// Claim takes key for ttl, at least a millisecond, and reports true; or reports false if it is taken, by this process or
// another. After an error it is not known whether the claim was made: the next Claim of this process succeeds if it was, and
// Release gives it back.
func (d *Deduper) Claim(ctx context.Context, key string, ttl time.Duration) (bool, error) {
	token := d.try(key)
	made, err := claimScript.Run(ctx, d.client, []string{d.prefix + key}, token, max(ttl.Milliseconds(), 1)).Bool()
	if err != nil {
		return false, fmt.Errorf("redisstore: claiming: %w", err)
	}
	d.settle(key, token, made)
	return made, nil
}

// Release gives key back if this process has claimed it. Claims of others stay, and those made again since by others.
// It may fail like Claim, and be called again.
func (d *Deduper) Release(ctx context.Context, key string) error {
	token, ok := d.token(key)
	if !ok {
		return nil
	}
	if err := releaseScript.Run(ctx, d.client, []string{d.prefix + key}, token).Err(); err != nil {
		return fmt.Errorf("redisstore: releasing: %w", err)
	}
	d.forget(key, token)
	return nil
}

// try returns the token to claim key with: that of a claim whose outcome is not known, else a new one.
func (d *Deduper) try(key string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e, ok := d.claims[key]; ok && !e.Value.(*claim).made {
		return e.Value.(*claim).token
	}
	d.drop(key)
	c := &claim{key: key, token: rand.Text()}
	d.claims[key] = d.oldest.PushBack(c)
	if d.oldest.Len() > remembered {
		d.drop(d.oldest.Front().Value.(*claim).key)
	}
	return c.token
}

// settle takes over what Redis has said of a claim.
func (d *Deduper) settle(key, token string, made bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e, ok := d.claims[key]
	switch {
	case !ok || e.Value.(*claim).token != token:
	case made:
		e.Value.(*claim).made = true
	default:
		d.drop(key)
	}
}

func (d *Deduper) token(key string) (string, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e, ok := d.claims[key]; ok {
		return e.Value.(*claim).token, true
	}
	return "", false
}

func (d *Deduper) forget(key, token string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e, ok := d.claims[key]; ok && e.Value.(*claim).token == token {
		d.drop(key)
	}
}

func (d *Deduper) drop(key string) {
	if e, ok := d.claims[key]; ok {
		delete(d.claims, key)
		d.oldest.Remove(e)
	}
}
