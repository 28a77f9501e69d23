package redisstore

import (
	"cmp"
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

// Deduper is a [clicknps.Deduper] for any number of processes. See the package's comment for what to expect of it when
// Redis fails. It is safe for concurrent use.
type Deduper struct {
	client redis.UniversalClient
	prefix string

	mu     sync.Mutex
	claims map[string]*list.Element
	oldest list.List // of *claim: those that were made last are at its back
}

// claim is what a process knows of a key that it has claimed, or tried to: the tokens.
type claim struct {
	key   string
	held  string // Redis has said so
	tried string // the answer was lost: it may hold the key
}

// NewDeduper returns a deduper whose claims are Redis keys that begin with prefix. Processes with the same Redis and
// prefix share their claims. Redis is not asked before the first Claim. No client is [clicknps.ErrInvalidParams].
func NewDeduper(client redis.UniversalClient, prefix string) (*Deduper, error) {
	if client == nil {
		return nil, invalid("NewDeduper", "needs a client")
	}
	return &Deduper{client: client, prefix: prefix, claims: make(map[string]*list.Element)}, nil
}

// Claim takes key for ttl, at least a millisecond, and reports true; or reports false if it is taken, by this process
// or another. After an error it is not known whether the claim was made: the next Claim of this process succeeds if it
// was, and Release gives it back.
func (d *Deduper) Claim(ctx context.Context, key string, ttl time.Duration) (bool, error) {
	token := d.retry(key)
	if token == "" {
		token = rand.Text()
	}
	made, err := claimScript.Run(ctx, d.client, []string{d.prefix + key}, token, max(ttl.Milliseconds(), 1)).Bool()
	switch {
	case err != nil:
		d.remember(key, func(c *claim) { c.tried = token })
		return false, fmt.Errorf("redisstore: claiming: %w", err)
	case made:
		d.remember(key, func(c *claim) { c.held = token })
	}
	return made, nil
}

// Release gives key back if this process has claimed it, last of all or without learning of it. Claims of others stay.
// It may fail like Claim, and be called again.
func (d *Deduper) Release(ctx context.Context, key string) error {
	token := d.token(key)
	if token == "" {
		return nil
	}
	if err := releaseScript.Run(ctx, d.client, []string{d.prefix + key}, token).Err(); err != nil {
		return fmt.Errorf("redisstore: releasing: %w", err)
	}
	d.forget(key, token)
	return nil
}

// retry returns the token of a claim whose answer was lost, or "". It does so once: two calls must not share a token.
func (d *Deduper) retry(key string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	e, ok := d.claims[key]
	if !ok {
		return ""
	}
	token := e.Value.(*claim).tried
	d.clear(e, token)
	return token
}

func (d *Deduper) remember(key string, change func(*claim)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e, ok := d.claims[key]
	if !ok {
		e = d.oldest.PushBack(&claim{key: key})
		d.claims[key] = e
	}
	d.oldest.MoveToBack(e)
	change(e.Value.(*claim))
	if d.oldest.Len() > remembered {
		d.drop(d.oldest.Front())
	}
}

// token returns what a release is to compare the key's holder with.
func (d *Deduper) token(key string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	e, ok := d.claims[key]
	if !ok {
		return ""
	}
	c := e.Value.(*claim)
	return cmp.Or(c.tried, c.held)
}

func (d *Deduper) forget(key, token string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e, ok := d.claims[key]; ok {
		d.clear(e, token)
	}
}

// clear forgets one token. d.mu is held.
func (d *Deduper) clear(e *list.Element, token string) {
	c := e.Value.(*claim)
	if c.tried == token {
		c.tried = ""
	}
	if c.held == token {
		c.held = ""
	}
	if c.tried == "" && c.held == "" {
		d.drop(e)
	}
}

func (d *Deduper) drop(e *list.Element) {
	delete(d.claims, d.oldest.Remove(e).(*claim).key)
}
