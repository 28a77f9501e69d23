package clicknps

import "encoding/json"

// origin remembers where a value was decoded from, so that RawJSON can cut it out when it is asked for.
type origin struct {
	body  *body
	index int
}

// body is a decoded answer's JSON.
type body struct {
	json []byte
}

// RawJSON returns the value as the server sent it, with the fields that this SDK does not know.
// It is nil for a value that was not decoded from an answer.
func (o origin) RawJSON() json.RawMessage {
	if o.body == nil {
		return nil
	}
	return o.body.json
}
