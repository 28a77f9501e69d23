package clicknpstest_test

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMinuteQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := clicknpstest.Run(t, clicknpstest.WithPlan(clicknps.PlanFree))
		c := inProcess(t, srv)
		for range 60 {
			require.Equal(t, 200, c.get("/v1/surveys").status)
		}
		got := c.get("/v1/surveys")
		assert.Equal(t, 429, got.status)
		assert.Equal(t, "60", got.header.Get("Retry-After"))
		assert.JSONEq(t, golden(t, "error_rate_limit.json"), got.body)

		until(time.Now().Add(59*time.Second + time.Millisecond))
		got = c.get("/v1/surveys")
		assert.Equal(t, "1", got.header.Get("Retry-After"), "rounded up: after that wait there is room")
		assert.JSONEq(t, clickNPSError("rate_limit_exceeded", "Rate limit exceeded. Retry after 1 seconds.", ""), got.body)
		assert.Equal(t, 401, c.with("Authorization", "").get("/v1/surveys").status, "no key, no quota")

		until(time.Now().Add(time.Second))
		assert.Equal(t, 200, c.get("/v1/surveys").status)
	})
}

func TestHourQuotaCountsEveryAuthenticatedRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := clicknpstest.Run(t, clicknpstest.WithPlan(clicknps.Plan{PerMinute: 2, PerHour: 5}))
		c := inProcess(t, srv)
		statuses := func(n int) (got []int) {
			for range n {
				got = append(got, c.get("/v1/responses/none").status)
			}
			return got
		}
		assert.Equal(t, []int{404, 404, 429}, statuses(3))
		srv.Advance(time.Minute)
		assert.Equal(t, []int{404, 404, 429}, statuses(3), "the sixth of the hour")
		srv.Advance(time.Minute)
		got := c.get("/v1/surveys")
		assert.Equal(t, 429, got.status, "the hour's five are used up, one of them by a refusal")
		assert.Equal(t, strconv.Itoa(58*60), got.header.Get("Retry-After"))
		srv.Advance(58 * time.Minute)
		assert.Equal(t, []int{404, 404, 429}, statuses(3))
	})
}

func TestNoQuotaByDefault(t *testing.T) {
	c := inProcess(t, clicknpstest.Run(t))
	for range 1_500 {
		require.Equal(t, 200, c.get("/v1/surveys").status)
	}
}

func TestIdempotentReplay(t *testing.T) {
	srv := clicknpstest.Run(t)
	c := inProcess(t, srv).with("Idempotency-Key", "unique-key-123")
	first := c.call("POST", "/v1/surveys", golden(t, "survey_create.json"))
	again := c.call("POST", "/v1/surveys", golden(t, "survey_create.json"))
	assert.Equal(t, 201, again.status)
	assert.Equal(t, first.body, again.body)
	assert.Empty(t, first.header.Get("Idempotent-Replayed"))
	assert.Equal(t, "true", again.header.Get("Idempotent-Replayed"))
	assert.NotEqual(t, first.header.Get("X-Request-Id"), again.header.Get("X-Request-Id"), "another request, the same outcome")
	third := c.call("POST", "/v1/surveys", golden(t, "survey_create.json"))
	assert.NotEqual(t, again.header.Get("X-Request-Id"), third.header.Get("X-Request-Id"))
	assert.Len(t, srv.Surveys(), 1)
	assert.False(t, srv.Requests()[0].Replayed)
	assert.True(t, srv.Requests()[1].Replayed)

	for path, body := range map[string]string{
		"/v1/surveys":    `{"name":"Other","question":"Q"}`,
		"/v1/webhooks":   golden(t, "survey_create.json"),
		"/v1/links/mint": `{"survey_id":"s","subject_id":"a"}`,
	} {
		got := c.call("POST", path, body)
		assert.Equal(t, 409, got.status, path)
		assert.JSONEq(t, clickNPSError("idempotency_conflict", "Idempotency-Key was used before with another request", ""), got.body)
	}
	assert.Equal(t, 201, c.with("Idempotency-Key", "other").call("POST", "/v1/surveys", golden(t, "survey_create.json")).status)
	assert.Len(t, srv.Surveys(), 2)
}

func TestARefusedRequestMayBePutRightUnderItsKey(t *testing.T) {
	c := inProcess(t, clicknpstest.Run(t)).with("Idempotency-Key", "k")
	assert.Equal(t, 400, c.call("POST", "/v1/surveys", `{"name":"N"}`).status)
	assert.Equal(t, 201, c.call("POST", "/v1/surveys", `{"name":"N","question":"Q"}`).status)
}

func TestIdempotencyKeyLength(t *testing.T) {
	c := inProcess(t, clicknpstest.Run(t))
	key := fmt.Sprintf("%0255d", 1)
	assert.Equal(t, 201, c.with("Idempotency-Key", key).call("POST", "/v1/surveys", golden(t, "survey_create.json")).status)
	assert.Equal(t, 400, c.with("Idempotency-Key", key+"2").call("POST", "/v1/surveys", golden(t, "survey_create.json")).status)
}

func TestConcurrentRequestsWithOneKeyHaveOneEffect(t *testing.T) {
	srv := clicknpstest.Run(t)
	c := inProcess(t, srv).with("Idempotency-Key", "k")
	body := golden(t, "survey_create.json")
	answers := make([]string, 64)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() {
			if r, err := c.try("POST", "/v1/surveys", body); err == nil {
				answers[i] = r.body
			}
		})
	}
	wg.Wait()
	require.Len(t, srv.Surveys(), 1)
	for _, answer := range answers {
		assert.Contains(t, answer, srv.Surveys()[0].ID)
	}
}

func TestALostAnswerIsReplayed(t *testing.T) {
	srv := clicknpstest.Run(t)
	srv.Inject(clicknpstest.Fault{DropAfter: true, Times: 1})
	c := inProcess(t, srv).with("Idempotency-Key", "k")
	_, err := c.try("POST", "/v1/surveys", golden(t, "survey_create.json"))
	require.Error(t, err)
	again := c.call("POST", "/v1/surveys", golden(t, "survey_create.json"))
	assert.Equal(t, http.StatusCreated, again.status)
	assert.Len(t, srv.Surveys(), 1)
}
