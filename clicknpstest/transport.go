package clicknpstest

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
)

// Transport returns a transport that hands requests to the fake in process, whatever host they name: no
// socket, no goroutine. For a program's own [http.Client]; [Server.Client] has it built in.
func (s *Server) Transport() http.RoundTripper { return (*transport)(s) }

type transport Server

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := readRequestBody(r)
	if err = cmp.Or(r.Context().Err(), err); err != nil {
		return nil, err
	}
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	a, cut := (*Server)(t).exchange(r.Context(), &request{
		method: r.Method, scheme: r.URL.Scheme, host: host, url: r.URL, header: r.Header.Clone(), body: body,
	})
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	var rest io.Reader = bytes.NewReader(a.body)
	switch cut {
	case cutBeforeAnswer:
		return nil, connectionReset()
	case cutInBody:
		rest = io.MultiReader(bytes.NewReader(a.body[:len(a.body)/2]), brokenReader{})
	}
	return a.response(r, rest), nil
}

// response is a as a client gets it, with body for what arrives of its body.
func (a answer) response(r *http.Request, body io.Reader) *http.Response {
	return &http.Response{
		Status:        fmt.Sprintf("%d %s", a.status, http.StatusText(a.status)),
		StatusCode:    a.status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        a.header,
		Body:          io.NopCloser(body),
		ContentLength: int64(len(a.body)),
		Request:       r,
	}
}

// readRequestBody reads r's body to its end and closes it, as a transport must.
func readRequestBody(r *http.Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	defer func() { _ = r.Body.Close() }()
	return io.ReadAll(r.Body)
}

// connectionReset is what a client sees when the other side cuts the connection.
func connectionReset() error {
	return &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
}

// brokenReader is where the line broke.
type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
