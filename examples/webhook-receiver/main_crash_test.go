package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
	"github.com/clicknps/go-sdk/webhook"
)

// The points of a handler function at which crashingReceiver kills itself, in its environment.
const (
	crashEnv     = "CRASH"
	beforeSaving = "before saving"
	beforeCommit = "before the commit"
	afterCommit  = "after the commit"
	crashAfter   = 1500 // calls of the handler function
)

// crashingReceiver is the receiver with a handler function that fails at random and notes what it
// has done, in the transaction that saves the response.
func crashingReceiver() {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	ctx := context.Background()
	verifier, err := newVerifier()
	if err != nil {
		panic(err)
	}
	db, err := openDatabase(ctx)
	if err != nil {
		panic(err)
	}
	var calls atomic.Int64
	var seen sync.Map // keys of events
	handle := func(ctx context.Context, e *webhook.Event) error {
		crashes := calls.Add(1) >= crashAfter
		fails := 0
		if _, again := seen.LoadOrStore(e.Key, true); !again {
			fails = rand.IntN(12) // from 1 to 3 it fails, but only once in the life of a process
		}
		if crashes {
			crashAt(beforeSaving)
		}
		if fails == 1 {
			return errors.New("failed at random before saving")
		}
		err := pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
			if err := save(ctx, tx, e); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, `INSERT INTO handled VALUES ($1, $2, $3, $4, clock_timestamp())`,
				e.Key, e.Type, e.SurveyID+"/"+subject(e), e.OccurredAt)
			switch {
			case crashes:
				crashAt(beforeCommit)
			case fails == 2:
				panic("failed at random before the commit")
			case fails == 3:
				return errors.New("failed at random before the commit")
			}
			return err
		})
		if err == nil && crashes {
			crashAt(afterCommit)
		}
		return err
	}
	panic(serve(ctx, "127.0.0.1:0", os.Stdout, verifier.Handler(handle)))
}

func subject(e *webhook.Event) string {
	if e.Response == nil {
		return ""
	}
	return e.Response.SubjectID
}

// crashAt ends this process as kill -9 does, if point is where it has to crash.
func crashAt(point string) {
	if os.Getenv(crashEnv) != point {
		return
	}
	p, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = p.Kill()
	}
	if err != nil {
		panic(err)
	}
	select {}
}

// network is what is between the fake and the receiver. It loses and doubles deliveries.
type network struct {
	t        *testing.T
	verifier *webhook.Verifier // tells the keys of events
	outage   atomic.Bool       // nothing gets through
	up       sync.RWMutex      // locked while the receiver is started
	url      string            // guarded by up

	mu       sync.Mutex
	sent     []delivery
	attempts map[string]int       // by event key
	answered map[string]time.Time // the first 2xx, by event key
	statuses map[int]int          // how often the receiver has answered what; 0: not at all
}

type delivery struct {
	key    string
	header http.Header
	body   []byte
}

// ServeHTTP takes a delivery from the fake. It delivers it, and at the same time either it or an
// earlier one again.
func (n *network) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if n.outage.Load() {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	body, err := io.ReadAll(r.Body)
	assert.NoError(n.t, err)
	e, err := n.verifier.Verify(r.Header, body)
	if !assert.NoError(n.t, err) {
		return
	}
	d := delivery{e.Key, r.Header.Clone(), body}
	n.mu.Lock()
	n.attempts[e.Key]++
	if n.attempts[e.Key] == 1 && rand.IntN(2) == 0 { // half of the events come one retry later
		n.mu.Unlock()
		w.WriteHeader(http.StatusGatewayTimeout)
		return
	}
	other := d
	if n.sent = append(n.sent, d); rand.IntN(2) == 0 {
		other = n.sent[rand.IntN(len(n.sent))]
	}
	n.mu.Unlock()

	var wg sync.WaitGroup
	wg.Go(func() { n.deliver(other) })
	status := n.deliver(d)
	wg.Wait()
	if status == 0 {
		status = http.StatusBadGateway
	}
	w.WriteHeader(status)
}

// deliver sends d to the receiver. The status is 0 if there is no answer.
func (n *network) deliver(d delivery) (status int) {
	n.up.RLock()
	defer n.up.RUnlock()
	req, err := http.NewRequestWithContext(n.t.Context(), http.MethodPost, n.url, bytes.NewReader(d.body))
	if !assert.NoError(n.t, err) {
		return 0
	}
	req.Header = d.header
	if res, err := http.DefaultClient.Do(req); err == nil {
		status = res.StatusCode
		_, _ = io.Copy(io.Discard, res.Body)
		assert.NoError(n.t, res.Body.Close())
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.statuses[status]++
	if _, ok := n.answered[d.key]; !ok && status/100 == 2 {
		n.answered[d.key] = time.Now()
	}
	return status
}

// restart starts the receiver again when it has crashed.
func (n *network) restart(meanwhile func(), env ...string) *process {
	n.up.Lock()
	defer n.up.Unlock()
	meanwhile()
	p := start(n.t, "crashing receiver", env...)
	n.url = p.url
	return p
}

// passLease lets the time pass in Redis that a claim lasts.
func passLease(t *testing.T, client *redis.Client) {
	ctx := t.Context()
	keys, err := client.Keys(ctx, "*").Result()
	require.NoError(t, err)
	for chunk := range slices.Chunk(keys, 500) {
		left := make([]*redis.DurationCmd, len(chunk))
		_, err := client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, key := range chunk {
				left[i] = p.PTTL(ctx, key)
			}
			return nil
		})
		require.NoError(t, err)
		_, err = client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, key := range chunk {
				p.PExpire(ctx, key, left[i].Val()-15*time.Minute)
			}
			return nil
		})
		require.NoError(t, err)
	}
}

// respond lets customers answer and comment while no delivery gets through. It returns the number of
// events.
func respond(t *testing.T, srv *clicknpstest.Server) (events int) {
	t.Helper()
	const customers = 2500
	client := srv.Client()
	_, err := client.Webhooks.Create(t.Context(), &clicknps.WebhookCreateParams{
		URL: "https://example.com" + path,
		Events: []clicknps.EventType{
			clicknps.EventResponseCreated, clicknps.EventResponseUpdated, clicknps.EventSurveyCompleted,
		},
	})
	require.NoError(t, err)
	surveys := []string{srv.AddSurvey(clicknps.Survey{}).ID, srv.AddSurvey(clicknps.Survey{}).ID}
	ids := make([]string, customers)
	for i := range ids {
		comment := ""
		if i%10 == 0 {
			comment = "with the click"
		}
		who := fmt.Sprintf("user_%04d", i/2)
		ids[i] = srv.Respond(surveys[i%2], who, rand.IntN(11), comment).ID
		srv.Respond(surveys[i%2], who, rand.IntN(11), "a second click, which does not count")
	}
	srv.Advance(3 * time.Minute)
	events = customers
	for round, every := range []int{2, 3, 6} { // so many customers comment 0, 1, 2 or 3 times
		for i := 0; i < customers; i += every {
			params := &clicknps.CommentParams{Comment: fmt.Sprintf("comment %d of %d", round, i)}
			_, err := client.Responses.AddComment(t.Context(), ids[i], params)
			require.NoError(t, err)
			events++
		}
		srv.Advance(0)
	}
	srv.SetTarget(surveys[0], customers/2)
	srv.Advance(0)
	return events + 1
}

// handling is a call of the handler function that was committed.
type handling struct {
	Key, Type, Response string
	OccurredAt, At      time.Time
}

// 10,000 deliveries, half of them duplicates, arrive out of order while the handler function fails
// at random and the process is killed three times. In the end the table has what the service has.
func TestNothingIsLostInCrashes(t *testing.T) {
	t.Parallel()
	databaseURL, db := startPostgres(t)
	redisURL, client := startRedis(t)
	env := []string{"DATABASE_URL=" + databaseURL, "REDIS_URL=" + redisURL}
	execute(t, db, `CREATE TABLE handled
		(key text, type text, response text, occurred_at timestamptz, at timestamptz)`)
	verifier, err := webhook.NewVerifier([]string{secret})
	require.NoError(t, err)
	n := &network{
		t: t, verifier: verifier,
		attempts: map[string]int{}, answered: map[string]time.Time{}, statuses: map[int]int{},
	}
	n.outage.Store(true)
	srv := clicknpstest.Run(t)
	srv.DeliverTo(n)
	events := respond(t, srv)

	began := time.Now()
	crashes := []string{beforeSaving, beforeCommit, afterCommit}
	p := n.restart(func() {}, append(env, crashEnv+"="+crashes[0])...)
	n.outage.Store(false)
	delivered := make(chan struct{})
	go func() {
		defer close(delivered)
		srv.Advance(45 * time.Hour) // all retries
	}()
	for _, next := range append(crashes[1:], "never") {
		select {
		case err := <-p.ended:
			require.EqualError(t, err, "signal: killed")
		case <-delivered:
			require.Fail(t, "the receiver has crashed less than three times")
		}
		p = n.restart(func() { passLease(t, client) }, append(env, crashEnv+"="+next)...)
	}
	<-delivered
	took := time.Since(began)

	requireRows(t, srv.Responses(), rows(t, db))
	late := n.checkHandlings(query[handling](t, db, `SELECT * FROM handled ORDER BY at`), events)
	t.Logf("%d events, %d deliveries, answers %v, late %v, %s", events, 2*len(n.sent), n.statuses, late, took)
	acknowledged := slices.DeleteFunc(srv.Deliveries(), func(d clicknpstest.Delivery) bool {
		return d.StatusCode != http.StatusOK
	})
	assert.Len(t, acknowledged, events, "the sender has given up none")
	assert.GreaterOrEqual(t, 2*len(n.sent), 10_000)
	assert.Greater(t, n.statuses[http.StatusInternalServerError], 1000)
	assert.Greater(t, late[string(clicknps.EventResponseCreated)], 200)
	assert.Greater(t, late[string(clicknps.EventResponseUpdated)], 200)
}

// checkHandlings checks that each event was handled, and not again after it was acknowledged. late
// counts, by type, the events that were handled after a newer one of the same response.
func (n *network) checkHandlings(handlings []handling, events int) (late map[string]int) {
	t := n.t
	count, latest := map[string]int{}, map[string]time.Time{}
	late = map[string]int{}
	for _, h := range handlings {
		count[h.Key]++
		answered, ok := n.answered[h.Key]
		assert.True(t, ok, "%+v was handled, but never answered with a 2xx", h)
		assert.True(t, h.At.Before(answered), "%+v was handled after it was answered at %s", h, answered)
		if h.OccurredAt.Before(latest[h.Response]) {
			late[h.Type]++
		} else {
			latest[h.Response] = h.OccurredAt
		}
	}
	assert.Len(t, count, events, "every event is handled")
	again := len(handlings) - events
	t.Logf("handled %d, again %d", len(handlings), again)
	assert.Positive(t, again, "the process was killed between a commit and the answer")
	assert.LessOrEqual(t, again, 3*2*5, "no more than were being delivered")
	return late
}

// requireRows checks that the table has the responses of the service.
func requireRows(t *testing.T, responses []clicknps.Response, got []row) {
	t.Helper()
	want := make([]row, len(responses))
	for i, r := range responses {
		want[i] = row{r.SurveyID, r.SubjectID, new(r.Score), r.Comment}
	}
	slices.SortFunc(want, func(a, b row) int {
		return cmp.Or(strings.Compare(a.SurveyID, b.SurveyID), strings.Compare(a.SubjectID, b.SubjectID))
	})
	require.Equal(t, want, got)
}
