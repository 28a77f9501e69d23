package clicknps

import (
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
		defer res.Stream.Close()
		if err := checkExport(res, format); err != nil {
			return undecodable(err)
		}
		to := &progressWriter{w: w, total: res.Stream.Length, progress: o.progress}
		written, err = io.Copy(to, struct{ io.Reader }{res.Stream})
		if err == nil && res.Stream.Length > 0 && written != res.Stream.Length {
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

func checkExport(res *engine.Result, format ExportFormat) error {
	isPage := apierror.IsHTML(res.Header.Get("Content-Type"), res.Stream.Head())
	switch {
	case len(res.Stream.Head()) == 0:
		return errors.New("the export is empty")
	case isPage && !strings.Contains(strings.ToLower(string(format)), "htm"):
		return errHTML
	}
	return nil
}

type progressWriter struct {
	w           io.Writer
	done, total int64
	progress    func(done, total int64) // may be nil
}

func (p *progressWriter) Write(b []byte) (int, error) {
	n, err := p.w.Write(b)
	p.done += int64(n)
	if p.progress != nil {
		p.progress(p.done, p.total)
	}
	return n, err
}
