package proxies

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
)

var pemFile string // certificate and key of all TLS servers; this process trusts it, as a CA of the system

func TestMain(m *testing.M) {
	flag.Parse()
	err := flag.Set("test.parallel", "16") // the tests do little but wait
	folder, err2 := os.MkdirTemp("", "proxies")
	pemFile = filepath.Join(folder, "server.pem")
	if err := errors.Join(err, err2, writeCertificate(), os.Setenv("SSL_CERT_FILE", pemFile)); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(folder)
	os.Exit(code)
}

func writeCertificate() error {
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	key, err := x509.MarshalPKCS8PrivateKey(server.TLS.Certificates[0].PrivateKey)
	both := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	both = append(both, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
	return errors.Join(err, os.WriteFile(pemFile, both, 0o600))
}

// newTransport returns a transport of the user's own.
func newTransport(t *testing.T) *http.Transport {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// newFake returns a fake without quotas, and its host and port.
func newFake(t *testing.T) (fake *clicknpstest.Server, upstream string) {
	fake = clicknpstest.Run(t, clicknpstest.WithPlan(clicknps.Plan{}), clicknpstest.WithSalesOSLimit(0))
	return fake, strings.TrimSuffix(strings.TrimPrefix(fake.URL(), "http://"), "/v1")
}

// newClient returns a client that reaches fake by origin.
func newClient(
	t *testing.T, fake *clicknpstest.Server, origin string, opts ...clicknps.Option,
) *clicknps.Client {
	client, err := clicknps.New(append([]clicknps.Option{
		clicknps.WithoutEnvironment(),
		clicknps.WithAPIKey(fake.APIKey()), clicknps.WithBaseURL(origin + "/v1"),
		clicknps.WithSalesOSAPIKey(fake.SalesOSAPIKey()), clicknps.WithSalesOSBaseURL(origin + "/v1"),
	}, opts...)...)
	require.NoError(t, err)
	return client
}

var quick = clicknps.WithRetryPolicy(clicknps.RetryPolicy{
	MinBackoff: 10 * time.Millisecond, MaxBackoff: 50 * time.Millisecond,
})

func serve(t *testing.T, handler http.HandlerFunc) (upstream string) {
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// closedAddress returns an address where nothing listens: no other test uses this host.
func closedAddress(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.2:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return listener.Addr().String()
}

// listen returns a listening socket for the process of a proxy, and its address.
func listen(t *testing.T) (*os.File, string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	socket, err := listener.(*net.TCPListener).File()
	require.NoError(t, err)
	t.Cleanup(func() { socket.Close() })
	return socket, listener.Addr().String()
}

// start runs a proxy until the test ends. Its socket is file 3. The last of args is followed by its config.
func start(t *testing.T, socket *os.File, config, program string, args ...string) *os.Process {
	path, err := exec.LookPath(program)
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/" + program) // where Debian has it, which is not in every PATH
	}
	require.NoError(t, err, "run .ci/proxies, or apt-get install nginx-light haproxy")
	folder := t.TempDir()
	file := filepath.Join(folder, "proxy.conf")
	require.NoError(t, os.WriteFile(file, []byte(config), 0o600))
	cmd := exec.Command(path, append(args, file)...)
	cmd.Dir, cmd.Stderr = folder, t.Output()
	cmd.ExtraFiles, cmd.Env = []*os.File{socket}, []string{"NGINX=3;"}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		_ = cmd.Wait()
	})
	return cmd.Process
}

// late hands a POST with the header Late, the first to its path, to next when the proxy has given it up
// and the time in that header has passed.
func late(next http.Handler, posts *sync.WaitGroup) http.HandlerFunc {
	var seen sync.Map
	return func(w http.ResponseWriter, r *http.Request) {
		after, err := time.ParseDuration(r.Header.Get("Late"))
		if _, again := seen.LoadOrStore(r.Method+r.URL.Path, true); again || err != nil || r.Method == "GET" {
			next.ServeHTTP(w, r)
			return
		}
		posts.Add(1)
		defer posts.Done()
		body, _ := io.ReadAll(r.Body)
		<-r.Context().Done()
		<-time.After(after)
		again := httptest.NewRequest(r.Method, r.URL.String(), bytes.NewReader(body))
		again.Header = r.Header
		next.ServeHTTP(httptest.NewRecorder(), again)
	}
}

// concurrently calls fn with 0 to n-1, in so many goroutines, and returns the errors.
func concurrently(n, goroutines int, fn func(i int) error) []error {
	errs, next := make([]error, n), make(chan int)
	var running sync.WaitGroup
	for range goroutines {
		running.Go(func() {
			for i := range next {
				errs[i] = fn(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	running.Wait()
	return errs
}

func name(i int) string    { return fmt.Sprintf("survey %d", i) }
func nameNPS(i int) string { return fmt.Sprintf("SalesOS survey %d", i) }

func create(t *testing.T, client *clicknps.Client, opts ...clicknps.RequestOption) func(i int) error {
	return func(i int) error {
		params := &clicknps.SurveyCreateParams{Name: name(i), Question: "?"}
		return second(client.Surveys.Create(t.Context(), params, opts...))
	}
}

func createNPS(t *testing.T, client *clicknps.Client, opts ...clicknps.RequestOption) func(i int) error {
	return func(i int) error {
		params := &clicknps.NPSSurveyCreateParams{Name: nameNPS(i)}
		return second(client.SalesOS.NPS.Create(t.Context(), params, opts...))
	}
}

func second[T any](_ T, err error) error { return err }

// assertOnce asserts that all creates succeeded, and took effect exactly once each.
func assertOnce(t *testing.T, fake *clicknpstest.Server, errs []error) {
	t.Helper()
	assert.NoError(t, errors.Join(errs...))
	assertKnown(t, fake, name, errs)
}

// assertKnown asserts that creates took effect as their errors say, and returns how many do not know.
func assertKnown(
	t *testing.T, fake *clicknpstest.Server, name func(int) string, errs []error,
) (unknown int) {
	t.Helper()
	times := map[string]int{}
	for _, s := range fake.Surveys() {
		times[s.Name]++
	}
	for _, s := range fake.NPSSurveys() {
		times[s.Name]++
	}
	for i, err := range errs {
		switch n := times[name(i)]; {
		case err == nil:
			assert.Equal(t, 1, n, name(i))
		case errors.Is(err, clicknps.ErrOutcomeUnknown):
			unknown++
			assert.LessOrEqual(t, n, 1, name(i))
		default:
			assert.Zero(t, n, err)
		}
	}
	return unknown
}

// assertExports asserts that exports are whole, or fail, and returns how many failed.
func assertExports(t *testing.T, fake *clicknpstest.Server, client *clicknps.Client, id string) (failed int) {
	t.Helper()
	for _, format := range []clicknps.ExportFormat{clicknps.ExportCSV, clicknps.ExportJSON} {
		var want, got bytes.Buffer
		require.NoError(t, second(fake.Client().SalesOS.NPS.Export(t.Context(), id, format, &want)))
		err := second(client.SalesOS.NPS.Export(t.Context(), id, format, &got))
		if err != nil {
			failed++
			want.Truncate(got.Len())
		}
		assert.Equal(t, want.String(), got.String(), err)
	}
	return failed
}
