package engine

import (
	"io"
	"net/http"
)

// Stream is the body of an answer that is not read yet. Each Read may take as long as an attempt; the time between two
// is the reader's own.
type Stream struct {
	Length int64 // in bytes; -1: unknown
	head   []byte
	body   io.ReadCloser
	watch  *watch
}

// newStream waits for the body's first bytes: an answer that is cut off before is one to repeat.
func newStream(resp *http.Response, watch *watch) (*Stream, error) {
	s := &Stream{Length: resp.ContentLength, head: make([]byte, headSize), body: resp.Body, watch: watch}
	n, err := io.ReadAtLeast(resp.Body, s.head, 1)
	s.head = s.head[:n]
	if err != nil && err != io.EOF {
		resp.Body.Close()
		return nil, watch.explain(err)
	}
	watch.pause()
	return s, nil
}

// headSize is enough to tell HTML by.
const headSize = 512

// Head is what has arrived already, at most 512 bytes, until Read is called. It is empty if nothing follows.
func (s *Stream) Head() []byte { return s.head }

// Read implements [io.Reader].
func (s *Stream) Read(p []byte) (int, error) {
	if len(s.head) > 0 {
		n := copy(p, s.head)
		s.head = s.head[n:]
		return n, nil
	}
	s.watch.restart()
	defer s.watch.pause()
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
