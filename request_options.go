package clicknps

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/clicknps/go-sdk/internal/engine"
)

// RequestOption changes one call.
type RequestOption func(*requestOptions)

// requestOptions is what the options of one call say.
type requestOptions struct {
	key      string
	header   http.Header
	extra    []extraField
	meta     *ResponseMeta
	prefetch int
	bulk     bool
	bookmark *string
	progress func(done, total int)
	err      error // the first option that can't be right
}

type extraField struct {
	name  string
	value any
}

func newRequestOptions(opts []RequestOption) *requestOptions {
	o := new(requestOptions)
	for _, opt := range opts {
		if opt == nil {
			o.fail(invalid("opts", "an option is nil"))
			continue
		}
		opt(o)
	}
	return o
}

func (o *requestOptions) fail(err error) {
	if o.err == nil {
		o.err = err
	}
}

// ResponseMeta is what HTTP says of a call.
type ResponseMeta struct {
	StatusCode     int         // 0: there was no answer
	Header         http.Header // of the last answer
	RequestID      string      // X-Request-Id
	IdempotencyKey string
	Attempts       []Attempt // all of them, in order
}

// Attempt is one request of a call.
type Attempt struct {
	StatusCode int           // 0: there was no answer
	Err        error         // why not, or why it was cut off
	Waited     time.Duration // before it
	Took       time.Duration // from sending it to the end of its answer
	RequestID  string
}

// WithResponse fills in into when the call ends, whether it succeeds or not. With All it is filled in anew for every page.
func WithResponse(into *ResponseMeta) RequestOption {
	return func(o *requestOptions) {
		if into == nil {
			o.fail(invalid("into", "WithResponse needs somewhere to write"))
		}
		o.meta = into
	}
}

// report fills in the caller's ResponseMeta, and passes err on.
func (o *requestOptions) report(res *engine.Result, err *Error) error {
	if o.meta != nil {
		*o.meta = ResponseMeta{IdempotencyKey: o.key}
		if res != nil {
			o.meta.StatusCode, o.meta.Header = res.StatusCode, res.Header
			for _, a := range res.Attempts {
				o.meta.RequestID = a.RequestID // the last one's stays
				o.meta.Attempts = append(o.meta.Attempts, Attempt{a.StatusCode, a.Err, a.Waited, a.Took, a.RequestID})
			}
		}
	}
	if err == nil {
		return nil
	}
	return err
}

// WithIdempotencyKey makes a ClickNPS POST one with key: 1–255 bytes of printable ASCII, without a space at either end.
// A POST with a key that ClickNPS has seen takes no second effect. Without this option each call has a random one.
func WithIdempotencyKey(key string) RequestOption {
	return func(o *requestOptions) {
		switch {
		case key == "":
			o.fail(invalid("Idempotency-Key", "the key must not be empty"))
		case len(key) > 255:
			o.fail(invalid("Idempotency-Key", "the key must not be longer than 255 bytes"))
		case !isPrintable(key) || strings.TrimSpace(key) != key:
			o.fail(invalid("Idempotency-Key", "the key must be printable ASCII without a space at either end"))
		}
		o.key = key
	}
}

// NewIdempotencyKey returns a random key.
func NewIdempotencyKey() string { return rand.Text() }

// DeriveIdempotencyKey returns a key that follows from parts: the same parts in the same order give the same key, on every
// machine and run, and others another. Without parts it is empty, which no call accepts.
func DeriveIdempotencyKey(parts ...string) string {
	if len(parts) == 0 {
		return ""
	}
	hash := sha256.New()
	for _, part := range parts {
		// The length keeps ("ab","c") from being ("a","bc").
		hash.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		hash.Write([]byte(part))
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// WithHeader sets a header of the request. Credentials and idempotency keys have options of their own.
func WithHeader(name, value string) RequestOption {
	return func(o *requestOptions) {
		canonical := http.CanonicalHeaderKey(name)
		switch canonical {
		case "Authorization", "X-Api-Key", "Proxy-Authorization":
			o.fail(invalid(name, "%s is set by the client's credential", name))
		case "Idempotency-Key", "X-Idempotency-Key":
			o.fail(invalid(name, "%s is set by WithIdempotencyKey", name))
		case "Host", "Content-Length", "Transfer-Encoding", "Connection", "Trailer", "Upgrade":
			o.fail(invalid(name, "%s is set by net/http", name))
		}
		if !isToken(name) {
			o.fail(invalid("header", "%q is not the name of a header", name))
		}
		if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			o.fail(invalid(name, "the value of %q has a control character", name))
		}
		if o.header == nil {
			o.header = make(http.Header)
		}
		o.header[canonical] = []string{value}
	}
}

// isToken reports whether s is a token of RFC 9110, as a header's name must be.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		alphanumeric := '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !alphanumeric && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != ""
}

// WithExtraField adds a field that this SDK does not know yet to the request's body.
func WithExtraField(name string, value any) RequestOption {
	return func(o *requestOptions) {
		if name == "" || !utf8.ValidString(name) {
			o.fail(invalid("name", "WithExtraField: the field's name must not be empty, and must be valid UTF-8"))
		}
		o.extra = append(o.extra, extraField{name, value})
	}
}

// WithBulk makes a call one of many, as the pages of All and exports are by themselves: while the client waits for room
// under a limit, calls without it go first, and they alone may use the reserve of [WithReserve].
func WithBulk() RequestOption {
	return func(o *requestOptions) { o.bulk = true }
}

// WithPrefetch lets All keep up to this many pages under way ahead of the one that is read. The default is 0:
// nothing is asked for before it is needed. Other calls pay it no heed.
func WithPrefetch(pages int) RequestOption {
	return func(o *requestOptions) {
		if pages < 0 {
			o.fail(invalid("pages", "WithPrefetch: the number of pages must not be negative"))
		}
		o.prefetch = pages
	}
}

// WithProgress calls fn as All hands items over (in items, after every page) or Export writes (in bytes). total is −1
// while it is unknown. fn is called by the goroutine that made the call.
func WithProgress(fn func(done, total int)) RequestOption {
	return func(o *requestOptions) { o.progress = fn }
}

// encodeBody checks a body's params and encodes them together with the extra fields.
func encodeBody(body any, extra []extraField) ([]byte, error) {
	if body == nil {
		if len(extra) > 0 {
			return nil, invalid(extra[0].name, "this request has no body to add a field to")
		}
		return nil, nil
	}
	if reflect.ValueOf(body).IsNil() {
		return nil, invalid("params", "params must not be nil")
	}
	if err := body.(params).validate(); err != nil {
		return nil, err
	}
	if err := checkText(body); err != nil {
		return nil, err
	}
	data, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidParams, err)
	}
	if len(extra) > 0 {
		if data, err = addFields(data, extra); err != nil {
			return nil, err
		}
	}
	if string(data) == "{}" {
		return nil, invalid("params", "params change nothing")
	}
	return data, nil
}

func addFields(data []byte, extra []extraField) ([]byte, error) {
	var fields map[string]any
	raw := map[string]json.RawMessage{}
	if err := json.Unmarshal(data, &raw); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidParams, err)
	}
	fields = make(map[string]any, len(raw)+len(extra))
	for name, value := range raw {
		fields[name] = value
	}
	for _, field := range extra {
		if _, ok := fields[field.name]; ok {
			return nil, invalid(field.name, "%s is set twice", field.name)
		}
		fields[field.name] = field.value
	}
	data, err := json.Marshal(fields)
	if err != nil {
		return nil, fmt.Errorf("%w: WithExtraField: %w", ErrInvalidParams, err)
	}
	return data, nil
}
