package clicknpstest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// store is the state of both services.
type store struct {
	random   *rand.Rand // for ids
	requests int        // answered so far, for X-Request-Id

	surveys   collection[survey]
	responses collection[response]
	webhooks  collection[webhook]
	links     map[string]*linkSet // by token
	minted    map[asked]*linkSet
	answered  map[asked]*response // the first answer counts

	npsSurveys collection[npsSurvey]
}

// asked is one customer with one survey to answer.
type asked struct{ surveyID, subjectID string }

func newStore(seed uint64) store {
	return store{
		random:     rand.New(rand.NewPCG(seed, 1)),
		surveys:    newCollection[survey](),
		responses:  newCollection[response](),
		webhooks:   newCollection[webhook](),
		links:      map[string]*linkSet{},
		minted:     map[asked]*linkSet{},
		answered:   map[asked]*response{},
		npsSurveys: newCollection[npsSurvey](),
	}
}

// newID returns a ClickNPS id such as survey_abc123….
func (st *store) newID(prefix string) string {
	const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789"
	id := make([]byte, 12)
	for i := range id {
		id[i] = alphabet[st.random.IntN(len(alphabet))]
	}
	return prefix + "_" + string(id)
}

// newUUID returns a random UUID, version 4.
func (st *store) newUUID() string {
	hi, lo := st.random.Uint64(), st.random.Uint64()
	hi = hi&^0xf000 | 0x4000
	lo = lo&^(0xc<<60) | 0x8<<60
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", hi>>32, hi>>16&0xffff, hi&0xffff, lo>>48, lo&0xffffffffffff)
}

// collection holds items in the order of their creation.
type collection[T any] struct {
	items []*T
	byID  map[string]*T
}

func newCollection[T any]() collection[T] { return collection[T]{byID: map[string]*T{}} }

// put adds item, or puts it in the place of the one with the same id.
func (c *collection[T]) put(id string, item *T) {
	if old, ok := c.byID[id]; ok {
		*old = *item
		return
	}
	c.byID[id] = item
	c.items = append(c.items, item)
}

func (c *collection[T]) remove(id string) (found bool) {
	item, found := c.byID[id]
	if found {
		delete(c.byID, id)
		i := slices.Index(c.items, item)
		c.items = slices.Delete(c.items, i, i+1)
	}
	return found
}

// fields is a JSON object in a request's body.
type fields map[string]json.RawMessage

// decodeFields returns false for anything but a JSON object.
func decodeFields(body []byte) (fields, bool) {
	var f fields
	err := json.Unmarshal(body, &f)
	return f, err == nil && f != nil
}

// take reads a field into dst, and leaves dst alone if there is none. It returns false for null and for another type.
func take[T any](f fields, name string, dst *T) bool {
	raw, ok := f[name]
	if !ok {
		return true
	}
	return string(raw) != "null" && json.Unmarshal(raw, dst) == nil
}

// The ClickNPS wire structs. They are what is stored, too.
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
		Score     int       `json:"score"`
		Comment   *string   `json:"comment"`
		CreatedAt time.Time `json:"created_at"`
		UpdatedAt time.Time `json:"updated_at,omitzero"`

		announced time.Time // when response.created is delivered; zero: it isn't
	}
	webhook struct {
		ID        string    `json:"id"`
		URL       string    `json:"url"`
		Events    []string  `json:"events"`
		Secret    string    `json:"secret"`
		CreatedAt time.Time `json:"created_at"`
	}
	mintedLinks struct {
		Links     map[string]string `json:"links"`
		ExpiresAt string            `json:"expires_at"`
		Response  *int              `json:"response"`
	}
)

// The SalesOS wire structs. They are what is stored, too.
type (
	npsSurvey struct {
		ID        string    `json:"id"`
		Name      string    `json:"name"`
		Question  string    `json:"question"`
		Type      string    `json:"type"`
		IsActive  bool      `json:"isActive"`
		CreatedAt time.Time `json:"createdAt"`
		UpdatedAt time.Time `json:"updatedAt"`

		responses []*npsResponse
	}
	npsResponse struct {
		ID        string    `json:"id"`
		SurveyID  string    `json:"surveyId"`
		Score     int       `json:"score"`
		Comment   *string   `json:"comment"`
		Email     *string   `json:"email"`
		CreatedAt time.Time `json:"createdAt"`
	}
)
