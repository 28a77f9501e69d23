package engine

import (
	"io"
	"net/http"
)

// Stream is the body of an answer that is not read yet. Each Read may take as long as an attempt;
// the time between two reads does not count.
type Stream struct {
	Length int64 // in bytes; -1: unknown
	head   []byte
	unread []byte // of head
	body   io.ReadCloser
	watch  *watch
}

// headSize is how many bytes are read to tell what kind of answer it is.
const headSize = 512

// newStream waits for the body's first bytes: an answer that is cut off before can still be
// retried.
func newStream(resp *http.Response, w *watch) (*Stream, error) {
	s := &Stream{Length: resp.ContentLength, head: make([]byte, headSize), body: resp.Body, watch: w}
	n, err := io.ReadAtLeast(resp.Body, s.head, 1)
	s.head = s.head[:n]
	s.unread = s.head
	if err != nil && err != io.EOF {
		resp.Body.Close()
		return nil, w.explain(err)
	}
	w.suspend()
	return s, nil
}

// Head returns the first bytes of the body, at most 512. It is empty if the body is.
func (s *Stream) Head() []byte { return s.head }

// Read implements [io.Reader].
func (s *Stream) Read(p []byte) (int, error) {
	if len(s.unread) > 0 {
		n := copy(p, s.unread)
		s.unread = s.unread[n:]
		return n, nil
	}
	s.watch.restart()
	defer s.watch.suspend()
	n, err := s.body.Read(p)
	if err != nil && err != io.EOF {
		err = s.watch.explain(err)
	}
	return n, err
}

// Close implements [io.Closer].
func (s *Stream) Close() error {
	defer s.watch.stop()
	return s.body.Close()
}
