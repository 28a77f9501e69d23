package clicknps

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"slices"

	"github.com/clicknps/go-sdk/internal/engine"
)

// AllResponses walks a survey's responses as they arrive, however many there are: no more than one is in memory. It ends
// with the first error; an answer that breaks off is one, and says how many responses were good. Until its first
// byte the call is repeated as any other; from then on it is not. [WithProgress] counts responses; their total is −1, unknown.
//
// GET /v1/nps-surveys/{id}/responses
func (s *NPSService) AllResponses(ctx context.Context, id string, opts ...RequestOption) iter.Seq2[*NPSResponse, error] {
	return func(yield func(*NPSResponse, error) bool) {
		o := newRequestOptions(opts)
		c := call{method: http.MethodGet, path: npsPath(id, "responses"), stream: true, bulk: true}
		res, err := s.api.do(ctx, c, o)
		if err != nil {
			yield(nil, err)
			return
		}
		defer res.Stream.Close()
		n, goOn := 0, true
		err = decodeStream(res, func(response *NPSResponse) bool {
			n++
			if goOn = yield(response, nil); goOn && o.progress != nil {
				o.progress(n, -1)
			}
			return goOn
		})
		if err != nil && goOn {
			yield(nil, s.api.brokeOff(c, res, fmt.Errorf("the list broke off after %d responses: %w", n, err)))
		}
	}
}

// maxRest is how much is read of what follows a list, in bytes.
const maxRest = 64 << 10

// decodeStream finds the list in an answer and hands its items over as they come.
func decodeStream(res *engine.Result, handOver func(*NPSResponse) bool) error {
	if isHTML(res) {
		return errors.New("it is a page of HTML, not a list")
	}
	decoder := json.NewDecoder(res.Stream)
	if err := seekList(decoder); err != nil {
		return err
	}
	for decoder.More() {
		var raw json.RawMessage
		if err := decoder.Decode(&raw); err != nil {
			return err
		}
		response, err := decode[NPSResponse](raw)
		if err != nil {
			return err
		}
		if !handOver(response) {
			return nil
		}
	}
	if _, err := decoder.Token(); err != nil { // the list's end: without it, it is cut off
		return unexpectedEOF(err)
	}
	_, _ = io.CopyN(io.Discard, res.Stream, maxRest) // so that the connection can serve again
	return nil
}

// seekList reads up to the list's first item: of a bare list, or of one in an envelope.
func seekList(decoder *json.Decoder) error {
	token, err := decoder.Token()
	for err == nil && token != json.Delim('[') {
		if token != json.Delim('{') {
			return errors.New("there is no list in it")
		}
		if err = seekField(decoder); err == nil {
			token, err = decoder.Token()
		}
	}
	return unexpectedEOF(err)
}

// seekField reads up to the value of the field that has the list.
func seekField(decoder *json.Decoder) error {
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return err
		}
		if field, _ := name.(string); slices.Contains(listFields, field) {
			return nil
		}
		var skipped json.RawMessage
		if err := decoder.Decode(&skipped); err != nil {
			return err
		}
	}
	return errors.New("there is no list in it")
}

// unexpectedEOF is err, where an end is one too early.
func unexpectedEOF(err error) error {
	if err == io.EOF {
		return fmt.Errorf("the answer: %w", io.ErrUnexpectedEOF)
	}
	return err
}
