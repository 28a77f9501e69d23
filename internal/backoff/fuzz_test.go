package backoff_test

import (
	"testing"

	"github.com/clicknps/go-sdk/internal/backoff"
)

func FuzzRetryAfter(f *testing.F) {
	for _, value := range []string{
		"60", "0.5", "-1", "1e400", "NaN", "inf", date, "99999999999999999999",
		"1736937030250", "Fri, 31 Dec 9999 23:59:59 GMT",
	} {
		f.Add(429, value, date, value, "Retry after "+value+" seconds.")
	}
	f.Add(503, "", "", "9223372036854775807", "try again in 9999999999999999999999 hours")
	f.Add(200, "1", "Thu, 01 Jan 1970 00:00:00 GMT", "", "")
	f.Fuzz(func(t *testing.T, status int, retryAfter, serverDate, reset, body string) {
		wait, ok := backoff.Asked(status, headerOf("Retry-After", retryAfter, "Date", serverDate,
			"X-RateLimit-Reset", reset,
			"Retry-After-Long", reset), []byte(body))
		if wait < 0 || !ok && wait != 0 || ok && status < 300 {
			t.Errorf("Asked = %v, %t", wait, ok)
		}
	})
}
