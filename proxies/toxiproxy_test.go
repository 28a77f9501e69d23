package proxies

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
)

// toxicProxy starts toxiproxy in front of upstream, and returns its address.
func toxicProxy(t *testing.T, upstream string, toxics []string) string {
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	proxy := toxiproxy.NewProxy(server, "proxy", "127.0.0.1:0", upstream)
	require.NoError(t, proxy.Start())
	t.Cleanup(proxy.Stop)
	for _, toxic := range toxics {
		require.NoError(t, second(proxy.Toxics.AddToxicJson(strings.NewReader(toxic))))
	}
	return proxy.Listen
}

// toxic is a toxic in JSON, for so many of all connections.
func toxic(kind, stream string, share float64, attribute string, value int) string {
	return fmt.Sprintf(`{"type":%q,"name":"%[1]s %d","stream":%q,"toxicity":%g,"attributes":{%q:%[2]d}}`,
		kind, value, stream, share, attribute)
}

func TestToxics(t *testing.T) {
	t.Parallel()
	var cuts []string // in the midst of a header, of a body, of a later part of it
	for _, n := range []int{0, 1, 12, 100, 150, 200, 333, 500, 1000, 5000, 20_000, 100_000} {
		cuts = append(cuts, toxic("limit_data", "downstream", 0.1, "bytes", n))
	}
	for what, toxics := range map[string][]string{
		"latency":             {toxic("latency", "downstream", 1, "latency", 10)},
		"cuts":                cuts,
		"cuts and slow close": append([]string{toxic("slow_close", "downstream", 1, "delay", 20)}, cuts...),
		"cut connections":     {toxic("limit_data", "downstream", 1, "bytes", 30_000)},
		"lost requests":       {toxic("reset_peer", "upstream", 0.3, "timeout", 5)},
		"lost answers":        {toxic("reset_peer", "downstream", 0.3, "timeout", 5)},
		"silence":             {toxic("timeout", "upstream", 0.1, "timeout", 0)},
		"silence after":       {toxic("timeout", "downstream", 0.1, "timeout", 0)},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			// Connections are used again where all have the same fault. Else each request has a new one.
			testToxics(t, toxics, what == "latency" || what == "cut connections")
		})
	}
}

func testToxics(t *testing.T, toxics []string, keepAlive bool) {
	fake, upstream := newFake(t)
	survey := fake.AddNPSSurvey(clicknps.NPSSurvey{})
	for range 1000 {
		fake.AddResponse(clicknps.Response{Comment: "Ça va?"})
		fake.AddNPSResponse(clicknps.NPSResponse{SurveyID: survey.ID, Score: 9})
	}
	transport := newTransport(t)
	transport.DisableKeepAlives = !keepAlive
	client := newClient(t, fake, "http://"+toxicProxy(t, upstream, toxics),
		clicknps.WithHTTPClient(&http.Client{Transport: transport}),
		clicknps.WithRetryPolicy(clicknps.RetryPolicy{
			MaxRetries: 40, MinBackoff: time.Millisecond, MaxBackoff: 50 * time.Millisecond,
			AttemptTimeout: time.Second, Budget: -1,
		}))
	assertOnce(t, fake, concurrently(300, 4, create(t, client)))
	requests := len(fake.Requests())

	responses, err := clicknps.Collect(client.Responses.All(t.Context(), nil), 1000)
	require.NoError(t, err)
	assert.Equal(t, fake.Responses(), responses)

	failed, again := 0, 0
	for range 10 {
		failed += assertExports(t, fake, client, survey.ID)
	}
	for active := range 30 {
		want := active%2 == 0
		_, err := client.SalesOS.NPS.SetActive(t.Context(), survey.ID, want)
		for ; err != nil && again < 30; again++ {
			require.ErrorIs(t, err, clicknps.ErrOutcomeUnknown)
			_, err = client.SalesOS.NPS.SetActive(t.Context(), survey.ID, want)
		}
		require.NoError(t, err)
		require.Equal(t, want, fake.NPSSurveys()[0].IsActive)
	}
	t.Logf("300 creates arrived %d times; %d of 20 exports failed; SetActive again: %d",
		requests, failed, again)
	if strings.Contains(toxics[0], "latency") {
		assert.Zero(t, failed+again)
	}
}
