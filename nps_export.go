package clicknps

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/clicknps/go-sdk/internal/engine"
)

// Export streams a survey's responses to w, however many there are, and returns the number of bytes written. An export
// that breaks off is an error, and what was written until then is not to be trusted to be all. Until the first byte is
// written, the call is repeated as any other; from then on it is not. [WithProgress] counts bytes. It fails with [ErrInvalidParams] if
// format is empty or w is nil, [ErrNotFound] if there is no such survey, and [ErrValidation] if the server does not know the format.
//
// [RetryPolicy].AttemptTimeout bounds the time to the answer and that of each read, not the whole; how long w takes is
// up to w.
//
// GET /v1/nps-surveys/{id}/responses/export?format=…
func (s *NPSService) Export(ctx context.Context, id string, format ExportFormat, w io.Writer, opts ...RequestOption) (int64, error) {
	o := newRequestOptions(opts)
	switch {
	case format == "":
		o.fail(invalid("format", "format must not be empty"))
	case w == nil:
		o.fail(invalid("w", "w must not be nil"))
	}
	c := call{method: http.MethodGet, path: npsPath(id, "responses", "export"), query: exportQuery{format}, stream: true, bulk: true}
	res, err := s.api.do(ctx, c, o)
	if err != nil {
		return 0, err
	}
	defer res.Stream.Close()
	if isHTML(res) && !strings.Contains(strings.ToLower(string(format)), "htm") {
		res.Body, _ = io.ReadAll(io.LimitReader(res.Stream, engine.MaxErrorBody))
		return 0, s.api.undecodable(c, o, res, errors.New("it is a page of HTML, not an export"))
	}
	if len(res.Stream.Head()) == 0 {
		return 0, s.api.undecodable(c, o, res, errors.New("the export is empty"))
	}
	n, err := copyWithProgress(w, res.Stream, o.progress)
	if err == nil && res.Stream.Length >= 0 && n != res.Stream.Length {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return n, s.api.brokeOff(c, res, fmt.Errorf("the export broke off after %d bytes: %w", n, err))
	}
	return n, nil
}

type exportQuery struct {
	Format ExportFormat `url:"format"`
}

// brokeOff is the error of an answer that was fine as far as it came.
func (s *service) brokeOff(c call, res *engine.Result, cause error) error {
	e := s.problem(c, "", s.credential.Hide(cause))
	e.StatusCode, e.Attempts, e.RequestID = res.StatusCode, len(res.Attempts), s.credential.cut(res.Header.Get("X-Request-Id"))
	return e
}

func copyWithProgress(w io.Writer, from *engine.Stream, progress func(done, total int)) (int64, error) {
	if progress == nil {
		return io.Copy(w, struct{ io.Reader }{from})
	}
	counted := &progressWriter{w: w, total: int(from.Length), progress: progress}
	return io.Copy(counted, struct{ io.Reader }{from})
}

type progressWriter struct {
	w           io.Writer
	done, total int
	progress    func(done, total int)
}

func (p *progressWriter) Write(b []byte) (int, error) {
	n, err := p.w.Write(b)
	p.done += n
	p.progress(p.done, p.total)
	return n, err
}

// isHTML reports whether an answer is a page for people, as a proxy or a login wall sends it.
func isHTML(res *engine.Result) bool {
	kind := res.Header.Get("Content-Type")
	if kind == "" {
		start := res.Body
		if res.Stream != nil {
			start = res.Stream.Head()
		}
		kind = http.DetectContentType(start)
	}
	kind = strings.ToLower(strings.TrimSpace(kind))
	return strings.HasPrefix(kind, "text/html") || strings.HasPrefix(kind, "application/xhtml+xml")
}
