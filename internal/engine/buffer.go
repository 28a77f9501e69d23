package engine

import (
	"bytes"
	"io"
	"sync"
)

// buffer holds an answer's body. Buffers are used again, so nothing may keep their bytes.
type buffer struct{ data []byte }

var buffers = sync.Pool{New: func() any { return new(buffer) }}

// maxPooled is the capacity, in bytes, up to which a buffer is kept for another answer.
const maxPooled = 1 << 20

func newBuffer() *buffer { return buffers.Get().(*buffer) }

// Free gives the memory of Body back, and closes Stream. Neither must be used any more.
func (r *Result) Free() {
	if r.Stream != nil {
		r.Stream.Close()
	}
	if r.buffer != nil && cap(r.buffer.data) <= maxPooled {
		buffers.Put(r.buffer)
	}
	r.Body, r.buffer, r.Stream = nil, nil, nil
}

// readFrom reads at most limit bytes. length is how many the answer claims to have, or negative.
func (b *buffer) readFrom(r io.Reader, limit, length int64) error {
	body := bytes.NewBuffer(b.data[:0])
	body.Grow(int(min(max(length, 0), limit, maxPooled)) + bytes.MinRead) // it reads that much to see the end
	_, err := body.ReadFrom(io.LimitReader(r, limit))
	b.data = body.Bytes()
	return err
}
