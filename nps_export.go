package clicknps

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/clicknps/go-sdk/internal/apierror"
	"github.com/clicknps/go-sdk/internal/engine"
)

// ExportFormat is the format of [NPSService.Export]. Unknown values are sent as they are.
type ExportFormat string

// The known export formats.
const (
	ExportCSV  ExportFormat = "csv"
	ExportJSON ExportFormat = "json"
)

// Export streams all responses to a survey to w and returns the number of bytes written
// (GET /v1/nps-surveys/{id}/responses/export). It is retried until its first byte is written. If
// it breaks off later, it fails, except for a CSV without a length and without chunks, which then
// looks complete. [RetryPolicy].AttemptTimeout bounds the wait for the answer and for each read,
// not the whole. [WithProgress] counts bytes. Export fails with [ErrInvalidParams], [ErrNotFound]
// or [ErrValidation].
func (s *NPSService) Export(
	ctx context.Context, id string, format ExportFormat, w io.Writer, opts ...RequestOption,
) (written int64, err error) {
	o := s.api.options(opts)
	switch {
	case format == "":
		o.fail(invalid("format", "format must not be empty"))
	case w == nil:
		o.fail(invalid("w", "w must not be nil"))
	}
	o.fail(validText("format", "format", string(format)))
	c := call{
		operation: "NPS.Export", method: http.MethodGet, route: npsResponsesRoute + "/export", id: id,
		query: exportQuery{format}, stream: true, bulk: true,
	}
	err = s.api.do(ctx, c, o, func(res *engine.Result) error {
		if err := checkExport(res, format); err != nil {
			return undecodable(err)
		}
		to := &exportWriter{w: w, total: res.Stream.Length, progress: o.progress}
		written, err = io.Copy(to, struct{ io.Reader }{res.Stream})
		cut := res.Stream.Length > 0 && written != res.Stream.Length || format.isJSON() && to.isOpen()
		if err == nil && cut {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return fmt.Errorf("the export broke off after %d bytes: %w", written, err)
		}
		return nil
	})
	return written, err
}

type exportQuery struct {
	Format ExportFormat `url:"format"`
}

func (f ExportFormat) isJSON() bool { return strings.EqualFold(string(f), string(ExportJSON)) }

// checkExport refuses an answer whose first bytes, or content type, are not of the format.
func checkExport(res *engine.Result, format ExportFormat) error {
	head, mediaType := res.Stream.Head(), res.Header.Get("Content-Type")
	start := bytes.TrimSpace(bytes.TrimPrefix(head, []byte("\ufeff")))
	startsAsJSON := len(start) > 0 && (start[0] == '{' || start[0] == '[')
	switch {
	case len(head) == 0:
		return errors.New("the export is empty")
	case apierror.IsHTML(mediaType, head) && !strings.Contains(strings.ToLower(string(format)), "htm"):
		return errHTML
	case format.isJSON() && !startsAsJSON:
		return errors.New("it is not JSON")
	case format == ExportCSV && startsAsJSON:
		return errors.New("it is JSON")
	}
	return checkObject(start)
}

// exportWriter passes an export on. It reports progress, and counts what JSON has open.
type exportWriter struct {
	w           io.Writer
	done, total int64
	progress    func(done, total int64) // may be nil

	depth             int // of JSON
	inString, escaped bool
}

// Write implements [io.Writer].
func (e *exportWriter) Write(b []byte) (int, error) {
	n, err := e.w.Write(b)
	e.done += int64(n)
	for _, c := range b {
		switch {
		case e.escaped:
			e.escaped = false
		case c == '"':
			e.inString = !e.inString
		case e.inString:
			e.escaped = c == '\\'
		case c == '{', c == '[':
			e.depth++
		case c == '}', c == ']':
			e.depth--
		}
	}
	if e.progress != nil {
		e.progress(e.done, e.total)
	}
	return n, err
}

// isOpen reports whether JSON has not ended.
func (e *exportWriter) isOpen() bool { return e.depth > 0 || e.inString }
