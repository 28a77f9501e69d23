package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/clicknps/go-sdk"
)

// idle is how long a client is kept without use. It is the longest window of a plan: a new client
// does not know what the one before it has used of the quota, so one that has used any must be
// kept.
const idle = time.Hour

// clients has a client for each tenant that was active lately. It is safe for concurrent use.
type clients struct {
	find      func(ctx context.Context, name string) (tenant, error)
	transport http.RoundTripper

	mu   sync.Mutex
	kept map[string]*entry
}

type entry struct {
	client *clicknps.Client
	plan   clicknps.Plan
	used   time.Time
}

func newClients(find func(context.Context, string) (tenant, error), transport http.RoundTripper) *clients {
	return &clients{find: find, transport: transport, kept: map[string]*entry{}}
}

// get returns the tenant's client. Ask for it for each job and do not keep it: a tenant that
// changes its plan gets another one.
func (c *clients) get(ctx context.Context, name string) (*clicknps.Client, error) {
	t, err := c.find(ctx, name)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	for other, e := range c.kept {
		if now.Sub(e.used) > idle {
			delete(c.kept, other)
		}
	}
	e := c.kept[name]
	if e == nil || e.plan != t.Plan {
		client, err := c.newClient(t)
		if err != nil {
			return nil, fmt.Errorf("tenant %s: %w", name, err)
		}
		e = &entry{client: client, plan: t.Plan}
		c.kept[name] = e
	}
	e.used = now
	return e.client, nil
}

func (c *clients) newClient(t tenant) (*clicknps.Client, error) {
	return clicknps.New(
		clicknps.WithoutEnvironment(), // no tenant may use a key that is not its own
		clicknps.WithHTTPClient(&http.Client{Transport: c.transport}),
		clicknps.WithPlan(t.Plan),
		// The key is asked for again after a 401, so that a tenant can change it while the client
		// lives.
		clicknps.WithAPIKeySource(clicknps.TokenSourceFunc(func(ctx context.Context) (clicknps.Token, error) {
			now, err := c.find(ctx, t.Name)
			return clicknps.Token{Value: now.Key}, err
		})),
	)
}
