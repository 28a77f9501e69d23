package proxies

import (
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
)

// forgetful forwards connections, as a NAT or a load balancer does, until it forgets those that it has.
type forgetful struct{ age atomic.Int64 }

func (f *forgetful) accept(listener net.Listener, upstream string) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", upstream)
		if err != nil {
			client.Close()
			continue
		}
		age := f.age.Load()
		go f.forward(server, client, age)
		go f.forward(client, server, age)
	}
}

// forward swallows what comes in when the connection is forgotten, and then tells nobody of its end.
func (f *forgetful) forward(to, from net.Conn, age int64) {
	forgotten := func() bool { return f.age.Load() != age }
	_, _ = io.Copy(writer(func(b []byte) (int, error) {
		if forgotten() {
			return len(b), nil
		}
		return to.Write(b)
	}), from)
	from.Close()
	if !forgotten() {
		to.Close()
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(b []byte) (int, error) { return w(b) }

// Calls on a dead connection succeed at the second attempt, long before AttemptTimeout, which is 30 s.
func TestDeadHTTP2Connection(t *testing.T) {
	t.Parallel()
	pinging := newTransport(t)
	pinging.HTTP2 = &http.HTTP2Config{SendPingTimeout: 500 * time.Millisecond, PingTimeout: time.Second}
	for what, test := range map[string]struct {
		opts   []clicknps.Option
		atMost time.Duration
	}{
		"a transport with pings": {
			[]clicknps.Option{clicknps.WithHTTPClient(&http.Client{Transport: pinging})}, 8 * time.Second,
		},
		"the default transport": {nil, 20 * time.Second},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			fake, _ := newFake(t)
			var handler http.HandlerFunc = func(w http.ResponseWriter, r *http.Request) {
				assert.Equal(t, 2, r.ProtoMajor)
				fake.ServeHTTP(w, r)
			}
			server := httptest.NewUnstartedServer(handler)
			server.EnableHTTP2, server.Config.ErrorLog = true, log.New(io.Discard, "", 0)
			server.StartTLS()
			t.Cleanup(server.Close)
			socket, address := listen(t)
			listener, err := net.FileListener(socket)
			require.NoError(t, err)
			t.Cleanup(func() { listener.Close() })
			proxy := new(forgetful)
			go proxy.accept(listener, server.Listener.Addr().String())
			client := newClient(t, fake, "https://"+address, test.opts...)
			require.NoError(t, second(client.Surveys.List(t.Context(), nil)))
			proxy.age.Add(1)

			began := time.Now()
			infos := make([]clicknps.CallInfo, 21)
			errs := concurrently(21, 21, func(i int) error {
				info := clicknps.WithCallInfo(&infos[i])
				switch {
				case i < 10:
					return create(t, client, info)(i)
				case i < 20:
					return second(client.Surveys.List(t.Context(), nil, info))
				}
				return createNPS(t, client, info)(i)
			})
			t.Logf("took %v", time.Since(began))
			assert.Less(t, time.Since(began), test.atMost)
			for i, info := range infos[:20] {
				assert.NoError(t, errs[i])
				assert.Len(t, info.Attempts, 2)
			}
			assertOnce(t, fake, errs[:10])
			require.ErrorIs(t, errs[20], clicknps.ErrOutcomeUnknown)
			assert.Empty(t, fake.NPSSurveys())
		})
	}
}
