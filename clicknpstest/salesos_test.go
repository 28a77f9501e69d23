package clicknpstest_test

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clicknps/go-sdk/clicknpstest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSalesOSCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := clicknpstest.Run(t, clicknpstest.WithSalesOSLimit(0))
		anonymous := inProcess(t, srv).with("Authorization", "").with("X-API-Key", "")
		bearer := func(value string) int {
			got := anonymous.with("Authorization", "Bearer "+value).get("/v1/nps-surveys")
			if got.status == 401 {
				assert.JSONEq(t, `{"statusCode":401,"message":"Unauthorized"}`, got.body)
			}
			return got.status
		}
		old := srv.SalesOSToken()
		assert.NotEqual(t, old, srv.SalesOSToken(), "a fresh one each call")
		assert.Equal(t, 200, bearer(old))
		assert.Equal(t, 200, anonymous.with("X-API-Key", srv.SalesOSAPIKey()).get("/v1/nps-surveys").status)

		srv.Advance(24*time.Hour - time.Second)
		assert.Equal(t, 200, bearer(old))
		srv.Advance(time.Second)
		assert.Equal(t, 401, bearer(old), "a token lives for 24 hours")
		assert.Equal(t, 200, bearer(srv.SalesOSToken()))

		for _, value := range []string{"", "x", "a.b.c", srv.APIKey(), old[:len(old)-2] + "xx", "." + old} {
			assert.Equal(t, 401, bearer(value), value)
		}
		assert.Equal(t, 401, anonymous.get("/v1/nps-surveys").status)
		assert.Equal(t, 401, anonymous.with("Authorization", old).get("/v1/nps-surveys").status, "a bare token")
		parts := strings.Split(srv.SalesOSToken(), ".")
		payload, err := base64.RawURLEncoding.DecodeString(parts[1])
		require.NoError(t, err)
		forged := strings.Replace(string(payload), "user_1", "user_2", 1)
		require.NotEqual(t, string(payload), forged)
		parts[1] = base64.RawURLEncoding.EncodeToString([]byte(forged))
		assert.Equal(t, 401, bearer(strings.Join(parts, ".")), "a changed payload")
		assert.Equal(t, 401, anonymous.with("X-API-Key", srv.APIKey()).get("/v1/nps-surveys").status)
	})
}

func TestSalesOSTokenIsAJWT(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parts := strings.Split(clicknpstest.Run(t).SalesOSToken(), ".")
		require.Len(t, parts, 3)
		var claims struct{ Iat, Exp int64 }
		payload, err := base64.RawURLEncoding.DecodeString(parts[1])
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(payload, &claims))
		assert.Equal(t, time.Now().Unix(), claims.Iat)
		assert.Equal(t, time.Now().Add(24*time.Hour).Unix(), claims.Exp)
	})
}

func TestSalesOSRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := clicknpstest.Run(t)
		c := inProcess(t, srv)
		reset := strconv.FormatInt(time.Now().Add(time.Minute).Unix(), 10)
		for i := range 100 {
			got := c.get("/v1/nps-surveys/none")
			require.Equal(t, 404, got.status)
			require.Equal(t, "100", got.header.Get("X-RateLimit-Limit"))
			require.Equal(t, strconv.Itoa(99-i), got.header.Get("X-RateLimit-Remaining"))
			require.Equal(t, reset, got.header.Get("X-RateLimit-Reset"))
		}
		until(time.Now().Add(29*time.Second + time.Millisecond))
		got := c.get("/v1/nps-surveys")
		assert.Equal(t, 429, got.status)
		assert.JSONEq(t, golden(t, "salesos_error_rate_limit.json"), got.body)
		assert.Equal(t, "31", got.header.Get("Retry-After"))
		assert.Equal(t, "0", got.header.Get("X-RateLimit-Remaining"))
		assert.Equal(t, reset, got.header.Get("X-RateLimit-Reset"))

		user := c.with("X-API-Key", "").with("Authorization", "Bearer "+srv.SalesOSToken())
		assert.Equal(t, "99", user.get("/v1/nps-surveys").header.Get("X-RateLimit-Remaining"), "a user is not a key")
		user = user.with("Authorization", "Bearer "+srv.SalesOSToken())
		assert.Equal(t, "98", user.get("/v1/nps-surveys").header.Get("X-RateLimit-Remaining"), "a user's tokens share the limit")
		assert.Equal(t, 401, c.with("X-API-Key", "other").get("/v1/nps-surveys").status)

		srv.Advance(31 * time.Second)
		got = c.get("/v1/nps-surveys")
		assert.Equal(t, "99", got.header.Get("X-RateLimit-Remaining"))
		want := time.Now().Add(time.Minute + time.Second - time.Nanosecond).Unix()
		assert.Equal(t, strconv.FormatInt(want, 10), got.header.Get("X-RateLimit-Reset"), "in the client's time, whatever was advanced")
	})
}
