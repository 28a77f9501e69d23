package clicknps

import (
	"bytes"
	"encoding/json"
	"sync"
)

// origin is where a value was decoded from: RawJSON cuts it out when it is asked for, and until then it costs nothing.
type origin struct {
	document *document
	index    int // in the document's list; -1: the value is the whole document
}

// document is an answer's body, or the list in it.
type document struct {
	json  []byte
	once  sync.Once
	items []json.RawMessage
}

func (o *origin) setOrigin(d *document, index int) { o.document, o.index = d, index }

// RawJSON returns the value as the server sent it, with the fields that this SDK does not know. It is a copy.
// It is nil for a value that was not decoded from an answer. It is safe for concurrent use.
func (o origin) RawJSON() json.RawMessage {
	switch {
	case o.document == nil:
		return nil
	case o.index < 0:
		return bytes.Clone(bytes.TrimSpace(o.document.json))
	}
	o.document.once.Do(o.document.split)
	if o.index >= len(o.document.items) {
		return nil
	}
	return bytes.Clone(o.document.items[o.index])
}

// split finds the items of the list; its errors were decoding's already.
func (d *document) split() {
	if json.Unmarshal(d.json, &d.items) != nil {
		var page struct {
			Data *[]json.RawMessage `json:"data"`
		}
		page.Data = &d.items
		_ = json.Unmarshal(d.json, &page)
	}
}
