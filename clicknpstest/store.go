package clicknpstest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/clicknps/go-sdk"
)

// store is the state of both services.
type store struct {
	random   *rand.Rand // for ids
	requests int        // answered so far, for X-Request-Id

	surveys    collection[survey]
	responses  collection[response]
	webhooks   collection[wireWebhook]
	npsSurveys collection[npsSurvey]

	links    map[string]link // by token
	minted   map[asked]*linkSet
	answered map[asked]*response  // the answer that counts
	tokens   map[string]time.Time // SalesOS tokens that were issued, and when they expire
}

// asked is one customer with one survey to answer.
type asked struct{ surveyID, subjectID string }

func newStore(seed uint64) store {
	return store{
		random:     rand.New(rand.NewPCG(seed, 1)),
		surveys:    collection[survey]{kind: "Survey"},
		responses:  collection[response]{kind: "Response"},
		webhooks:   collection[wireWebhook]{kind: "Webhook"},
		npsSurveys: collection[npsSurvey]{kind: "NPS survey"},
		links:      map[string]link{},
		minted:     map[asked]*linkSet{},
		answered:   map[asked]*response{},
		tokens:     map[string]time.Time{},
	}
}

func surveys(st *store) *collection[survey]       { return &st.surveys }
func responses(st *store) *collection[response]   { return &st.responses }
func webhooks(st *store) *collection[wireWebhook] { return &st.webhooks }
func npsSurveys(st *store) *collection[npsSurvey] { return &st.npsSurveys }

// free lets the subject of r answer again, if r is the answer that counts.
func (st *store) free(r *response) {
	if who := (asked{r.SurveyID, r.SubjectID}); st.answered[who] == r {
		delete(st.answered, who)
	}
}

// newID returns a ClickNPS id such as survey_abc123…, with 12 letters and digits.
func (st *store) newID(prefix string) string {
	const least = 131621703842267136 // 36^11
	return prefix + "_" + strconv.FormatUint(least+st.random.Uint64N(35*least), 36)
}

// newUUID returns a random UUID, version 4.
func (st *store) newUUID() string {
	r := st.random
	return fmt.Sprintf("%08x-%04x-4%03x-%x%03x-%012x", r.Uint32(), r.Uint32N(1<<16), r.Uint32N(1<<12),
		8+r.Uint32N(4), r.Uint32N(1<<12), r.Uint64N(1<<48))
}

// newToken returns the token of a link: 32 characters.
func (st *store) newToken() string {
	return fmt.Sprintf("%016x%016x", st.random.Uint64(), st.random.Uint64())
}

// collection holds items in the order of their creation.
type collection[T any] struct {
	kind  string // of its items, for error messages
	items []*T
	byID  map[string]*T
}

// put adds item, or overwrites the one with the same id.
func (c *collection[T]) put(id string, item *T) {
	if old, ok := c.byID[id]; ok {
		*old = *item
		return
	}
	if c.byID == nil {
		c.byID = map[string]*T{}
	}
	c.byID[id] = item
	c.items = append(c.items, item)
}

func (c *collection[T]) remove(id string) {
	i := slices.Index(c.items, c.byID[id])
	c.items = slices.Delete(c.items, i, i+1)
	delete(c.byID, id)
}

// withItem finds the item that the path names.
func withItem[T any](in func(*store) *collection[T], next func(*Server, *request, *T) answer) handler {
	return func(s *Server, req *request) answer {
		c := in(&s.store)
		item, ok := c.byID[req.element]
		switch {
		case ok:
			return next(s, req, item)
		case isSalesOS(req.path()):
			return salesOSError(http.StatusNotFound, c.kind+" not found", "Not Found")
		}
		return notFound(c.kind + " not found")
	}
}

func show[T any](_ *Server, _ *request, item *T) answer { return jsonAnswer(http.StatusOK, item) }

// fields is a JSON object in a request's body.
type fields map[string]json.RawMessage

// decodeFields returns false for anything but a JSON object.
func decodeFields(body []byte) (fields, bool) {
	var f fields
	err := json.Unmarshal(body, &f)
	return f, err == nil && f != nil
}

// take reads a field into dst, and leaves dst alone if there is none. It returns false for null
// and for another type.
func take[T any](f fields, name string, dst *T) bool {
	raw, ok := f[name]
	if !ok {
		return true
	}
	return string(raw) != "null" && json.Unmarshal(raw, dst) == nil
}

// score is 0–10, or clicknps.NoScore, which is null on the wire.
type score int

// MarshalJSON implements [json.Marshaler].
func (v score) MarshalJSON() ([]byte, error) {
	if v == clicknps.NoScore {
		return []byte("null"), nil
	}
	return strconv.AppendInt(nil, int64(v), 10), nil
}

// text is null on the wire if it is empty.
type text string

// MarshalJSON implements [json.Marshaler].
func (v text) MarshalJSON() ([]byte, error) {
	if v == "" {
		return []byte("null"), nil
	}
	return marshal(string(v)), nil
}

// The wire structs. They are what is stored, too. The conversions of [Server.Webhooks] and
// [Server.NPSSurveys] need the RawJSON fields.
type (
	survey struct {
		ID        string    `json:"id"`
		Name      string    `json:"name"`
		Question  string    `json:"question"`
		CreatedAt time.Time `json:"created_at"`
		UpdatedAt time.Time `json:"updated_at,omitzero"`
		Status    string    `json:"status"`

		target int // responses that complete it; 0: none
	}
	response struct {
		ID        string    `json:"id"`
		SurveyID  string    `json:"survey_id"`
		SubjectID string    `json:"subject_id"`
		Score     score     `json:"score"`
		Comment   text      `json:"comment"`
		CreatedAt time.Time `json:"created_at"`
		UpdatedAt time.Time `json:"updated_at,omitzero"`

		announced time.Time // when response.created is delivered; zero: never
	}
	wireWebhook struct {
		ID        string               `json:"id"`
		URL       string               `json:"url"`
		Events    []clicknps.EventType `json:"events"`
		Secret    string               `json:"secret"`
		CreatedAt time.Time            `json:"created_at"`
		RawJSON   json.RawMessage      `json:"-"`
	}
	npsSurvey struct {
		npsSurveyFields
		responses []*npsResponse
	}
	npsSurveyFields struct {
		ID        string                 `json:"id"`
		Name      string                 `json:"name"`
		Question  string                 `json:"question"`
		Type      clicknps.NPSSurveyType `json:"type"`
		IsActive  bool                   `json:"isActive"`
		CreatedAt time.Time              `json:"createdAt"`
		UpdatedAt time.Time              `json:"updatedAt"`
		RawJSON   json.RawMessage        `json:"-"`
	}
	npsResponse struct {
		ID        string    `json:"id"`
		SurveyID  string    `json:"surveyId"`
		Score     score     `json:"score"`
		Comment   text      `json:"comment"`
		Email     text      `json:"email"`
		CreatedAt time.Time `json:"createdAt"`
	}
)
