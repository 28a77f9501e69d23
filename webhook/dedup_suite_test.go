package webhook_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/clicknps/go-sdk/clicknpstest"
	"github.com/clicknps/go-sdk/webhook"
)

func TestMemoryDeduperKeepsTheContract(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clicknpstest.TestDeduper(t, clicknpstest.DeduperSuite{
			New:     webhook.NewMemoryDeduper,
			Advance: func(d time.Duration) { <-time.After(d) },
		})
	})
}
