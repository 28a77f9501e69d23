package proxies

import (
	"errors"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	clicknps "github.com/clicknps/go-sdk"
)

// haproxy starts HAProxy with a backend of these lines. It returns its address, and a function that
// reloads it: a new process takes over the socket, and the old one closes idle connections.
func haproxy(t *testing.T, backend ...string) (address string, reload func()) {
	socket, address := listen(t)
	config := `
defaults
	mode http
	timeout connect 1s
	timeout client 30s
	timeout server 1s
	retries 0
frontend all
	bind fd@3
	default_backend upstream
backend upstream
	` + strings.Join(backend, "\n\t") + "\n"
	running := start(t, socket, config, "haproxy", "-q", "-db", "-f")
	return address, func() {
		next := start(t, socket, config, "haproxy", "-q", "-db", "-f")
		assert.NoError(t, running.Signal(syscall.SIGUSR1))
		running = next
	}
}

// first returns the address.
func first(address string, _ func()) string { return address }

func TestHAProxyGatewayTimeout(t *testing.T) {
	t.Parallel()
	testGatewayTimeout(t, func(upstream string) string { return first(haproxy(t, "server one "+upstream)) })
}

func TestHAProxyNoServer(t *testing.T) {
	t.Parallel()
	testUpstreamDown(t, http.StatusServiceUnavailable, func(upstream string) string {
		return first(haproxy(t, "server one "+upstream+" check inter 50ms rise 1 fall 1"))
	})
}

// A request that a dead server did not take goes to another, and the SDK hears nothing of it.
func TestHAProxyRedispatch(t *testing.T) {
	t.Parallel()
	fake, upstream := newFake(t)
	address, _ := haproxy(t, "balance roundrobin", "retries 2", "option redispatch 1",
		"server dead "+closedAddress(t), "server alive "+upstream)
	client := newClient(t, fake, "http://"+address)
	assertOnce(t, fake, concurrently(50, 8, create(t, client)))
	assert.Zero(t, assertKnown(t, fake, nameNPS, concurrently(50, 8, createNPS(t, client))))
	assert.Len(t, fake.Requests(), 100)
}

func TestHAProxyReload(t *testing.T) {
	t.Parallel()
	fake, upstream := newFake(t)
	address, reload := haproxy(t, "server one "+upstream)
	client := newClient(t, fake, "http://"+address, quick)
	calls := func(create func(int) error) []error {
		return concurrently(400, 8, func(i int) error {
			if i%50 == 49 {
				reload()
			}
			<-time.After(5 * time.Millisecond) // connections become idle
			return create(i)
		})
	}
	assertOnce(t, fake, calls(create(t, client)))
	errs := calls(createNPS(t, client))
	unknown := assertKnown(t, fake, nameNPS, errs)
	t.Logf("SalesOS: %d of 400 outcomes unknown; %d of them took effect",
		unknown, len(fake.NPSSurveys())-(400-unknown))
	for _, err := range errs {
		assert.True(t, err == nil || errors.Is(err, clicknps.ErrOutcomeUnknown), "%v", err)
	}
}
