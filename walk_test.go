package clicknps_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
)

// crowd creates and deletes surveys before every request of a walk, as its schedule has it.
type crowd struct {
	srv    *clicknpstest.Server
	admin  *clicknps.Client
	random *rand.Rand

	mu         sync.Mutex
	requests   int
	alive      []string
	throughout map[string]bool // alive since the walk began
	order      []string        // of the list when the walk began
	create     float64         // probability of a burst before a request
	remove     float64
	burst      int // items at most
	wipeAt     int // the request before which everything is deleted; 0: none
}

func newCrowd(t *testing.T, seed uint64, order clicknpstest.Order, opts ...clicknpstest.Option) *crowd {
	srv := clicknpstest.Run(t, append(opts, clicknpstest.WithOrder(order), clicknpstest.WithSeed(seed))...)
	c := &crowd{srv: srv, admin: srv.Client(), random: rand.New(rand.NewPCG(seed, 1)), throughout: map[string]bool{}}
	for range 20 + c.random.IntN(180) {
		c.add()
	}
	for _, id := range c.alive {
		c.throughout[id] = true
	}
	c.create, c.remove, c.burst = c.random.Float64(), c.random.Float64(), 1+c.random.IntN(30)
	if c.random.IntN(20) == 0 {
		c.wipeAt = 2 + c.random.IntN(5)
	}
	c.order = c.listed(t)
	return c
}

// listed is the list as it stands now.
func (c *crowd) listed(t *testing.T) []string {
	var ids []string
	for offset := 0; ; offset += 100 {
		page, err := c.admin.Surveys.List(context.Background(), &clicknps.SurveyListParams{
			ListOptions: clicknps.ListOptions{Limit: 100, Offset: offset},
		})
		require.NoError(t, err)
		for _, s := range page.Data {
			ids = append(ids, s.ID)
		}
		if !page.Pagination.HasMore {
			return ids
		}
		offset += len(page.Data) - 100
	}
}

func (c *crowd) add() {
	s := c.srv.AddSurvey(clicknps.Survey{Name: fmt.Sprintf("%016x", c.random.Uint64())})
	c.alive = append(c.alive, s.ID)
}

func (c *crowd) delete(i int) {
	id := c.alive[i]
	c.alive = slices.Delete(c.alive, i, i+1)
	delete(c.throughout, id)
	if err := c.admin.Surveys.Delete(context.Background(), id); err != nil {
		panic(err)
	}
}

// act is what happens before a request.
func (c *crowd) act() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests++
	if c.requests == c.wipeAt {
		for len(c.alive) > 0 {
			c.delete(0)
		}
	}
	// A crowd that never rests can keep any walk from ending.
	if c.requests > 200 {
		return
	}
	if c.random.Float64() < c.create {
		for range c.random.IntN(c.burst) {
			c.add()
		}
	}
	if c.random.Float64() < c.remove {
		// A run of neighbours, so that whole pages go at once.
		at := c.random.IntN(len(c.alive) + 1)
		for range c.random.IntN(c.burst) {
			if at < len(c.alive) {
				c.delete(at)
			}
		}
	}
}

// walker is a client whose every request the crowd comes before.
func (c *crowd) walker() *clicknps.Client {
	return c.srv.Client(clicknps.WithMiddleware(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			c.act()
			return next.RoundTrip(r)
		})
	}))
}

// Every survey that is there throughout is yielded once, none twice, in the list's order, whatever others do.
func TestWalksAreExact(t *testing.T) {
	t.Parallel()
	const schedules = 42 // times twelve
	for _, order := range []clicknpstest.Order{clicknpstest.OldestFirst, clicknpstest.NewestFirst, clicknpstest.ByName} {
		for _, prefetch := range []int{0, 1, 4, 16} {
			t.Run(fmt.Sprintf("order=%v/prefetch=%d", order, prefetch), func(t *testing.T) {
				t.Parallel()
				for seed := range uint64(schedules) {
					checkWalk(t, newCrowd(t, seed, order), prefetch)
				}
			})
		}
	}
}

func checkWalk(t *testing.T, c *crowd, prefetch int) {
	t.Helper()
	require.NoError(t, c.walk(t, prefetch))
}

// walk requires that a walk is exact up to where it ends, and as a whole if it ends without an error.
func (c *crowd) walk(t *testing.T, prefetch int) error {
	t.Helper()
	defer c.srv.Close()
	limit := 2 + c.random.IntN(30)
	times := map[string]int{}
	var yielded []string
	params := &clicknps.SurveyListParams{ListOptions: clicknps.ListOptions{Limit: limit}}
	for survey, err := range c.walker().Surveys.All(t.Context(), params, clicknps.WithPrefetch(prefetch)) {
		if err != nil {
			return err
		}
		times[survey.ID]++
		require.Equal(t, 1, times[survey.ID], "%s is yielded twice", survey.ID)
		yielded = append(yielded, survey.ID)
	}
	requireThroughout(t, c, yielded)
	return nil
}

// Pages that the server caps at one item can't overlap: the walk is exact, or says that it can't be.
func TestWalksOfPagesCappedAtOne(t *testing.T) {
	t.Parallel()
	whole := 0
	for _, order := range []clicknpstest.Order{clicknpstest.OldestFirst, clicknpstest.NewestFirst, clicknpstest.ByName} {
		for seed := range uint64(7) {
			err := newCrowd(t, seed, order, clicknpstest.WithMaxLimit(1)).walk(t, int(seed%2)*4)
			if err == nil {
				whole++
				continue
			}
			require.ErrorIs(t, err, clicknps.ErrListChanged)
		}
	}
	require.Greater(t, whole, 10)
}

// requireThroughout requires that all that was there throughout is in got, in the list's order.
func requireThroughout(t *testing.T, c *crowd, got []string) {
	t.Helper()
	gone := func(id string) bool { return !c.throughout[id] }
	require.Equal(t, slices.DeleteFunc(slices.Clone(c.order), gone), slices.DeleteFunc(slices.Clone(got), gone))
}

// A loop that deletes what it is given walks the whole list all the same.
func TestAWalkThatDeletesWhatItIsGiven(t *testing.T) {
	t.Parallel()
	const n = 3000
	srv := clicknpstest.Run(t, clicknpstest.WithMaxLimit(10))
	for range n {
		srv.AddSurvey(clicknps.Survey{Name: "Onboarding"})
	}
	client, walked := srv.Client(), 0
	for survey, err := range client.Surveys.All(t.Context(), nil) {
		require.NoError(t, err)
		require.NoError(t, client.Surveys.Delete(t.Context(), survey.ID))
		walked++
	}
	require.Equal(t, n, walked)
	require.Empty(t, srv.Surveys())
}
