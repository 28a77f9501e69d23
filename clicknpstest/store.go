package clicknpstest

import (
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
	webhooks   collection[hook]
	npsSurveys collection[npsSurvey]

	npsResponses []npsResponse
	links        map[string]link // by token
	minted       map[asked]*linkSet
	answered     map[asked]*response  // the answer that counts
	counts       map[string]int       // of responses, by survey
	tokens       map[string]time.Time // SalesOS tokens that were issued, and when they expire
}

// asked is one customer with one survey to answer.
type asked struct{ surveyID, subjectID string }

func newStore(seed uint64) store {
	return store{
		random:     rand.New(rand.NewPCG(seed, 1)),
		surveys:    newCollection[survey]("Survey"),
		responses:  newCollection[response]("Response"),
		webhooks:   newCollection[hook]("Webhook"),
		npsSurveys: newCollection[npsSurvey]("NPS survey"),
		links:      map[string]link{},
		minted:     map[asked]*linkSet{},
		answered:   map[asked]*response{},
		counts:     map[string]int{},
		tokens:     map[string]time.Time{},
	}
}

// addResponse adds r, or overwrites the one with the same id. It is then its subject's answer.
func (st *store) addResponse(r *response) {
	if old, ok := st.responses.byID[r.ID]; ok {
		st.free(old)
	}
	st.responses.put(r.ID, r)
	st.answered[asked{r.SurveyID, r.SubjectID}] = st.responses.byID[r.ID]
	st.counts[r.SurveyID]++
}

// free takes r from its survey and its subject, who may answer again if r is the answer that counts.
func (st *store) free(r *response) {
	st.counts[r.SurveyID]--
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

func newCollection[T any](kind string) collection[T] {
	return collection[T]{kind, []*T{}, map[string]*T{}}
}

// put adds item, or overwrites the one with the same id.
func (c *collection[T]) put(id string, item *T) {
	if old, ok := c.byID[id]; ok {
		*old = *item
		return
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
func withItem[T any](c *collection[T], next func(*request, *T) answer) handler {
	return func(req *request) answer {
		if item, ok := c.byID[req.element]; ok {
			return next(req, item)
		}
		if isSalesOS(req.path()) {
			return failure(req, http.StatusNotFound, "")
		}
		return notFound(c.kind + " not found")
	}
}

func show[T any](_ *request, item *T) answer { return jsonAnswer(http.StatusOK, "%s", item) }

// The types that are stored: those of the SDK, with wire forms of the fake's own, so that a mistake
// in the SDK's shows.
type (
	survey struct {
		clicknps.Survey
		target int // responses that complete it; 0: none
	}
	response struct {
		clicknps.Response
		announced time.Time // when response.created is delivered; zero: never
	}
	hook        clicknps.Webhook
	npsSurvey   clicknps.NPSSurvey
	npsResponse clicknps.NPSResponse
)

func (sv survey) MarshalJSON() ([]byte, error) {
	return jsonf(`{"id":%s,"name":%s,"question":%s,"created_at":%s`+updated(sv.UpdatedAt)+`,"status":%s}`,
		sv.ID, sv.Name, sv.Question, sv.CreatedAt, sv.Status), nil
}

func (r response) MarshalJSON() ([]byte, error) {
	return jsonf(`{"id":%s,"survey_id":%s,"subject_id":%s,"score":%s,"comment":%s,"created_at":%s`+
		updated(r.UpdatedAt)+`}`,
		r.ID, r.SurveyID, r.SubjectID, orNull(r.Score, clicknps.NoScore), orNull(r.Comment, ""), r.CreatedAt), nil
}

func (w hook) MarshalJSON() ([]byte, error) {
	return jsonf(`{"id":%s,"url":%s,"events":%s,"secret":%s,"created_at":%s}`,
		w.ID, w.URL, w.Events, w.Secret, w.CreatedAt), nil
}

func (sv npsSurvey) MarshalJSON() ([]byte, error) {
	return jsonf(`{"id":%s,"name":%s,"question":%s,"type":%s,"isActive":%s,"createdAt":%s,"updatedAt":%s}`,
		sv.ID, sv.Name, sv.Question, sv.Type, sv.IsActive, sv.CreatedAt, sv.UpdatedAt), nil
}

func (r npsResponse) MarshalJSON() ([]byte, error) {
	return jsonf(`{"id":%s,"surveyId":%s,"score":%s,"comment":%s,"email":%s,"createdAt":%s}`, r.ID, r.SurveyID,
		orNull(r.Score, clicknps.NoScore), orNull(r.Comment, ""), orNull(r.Email, ""), r.CreatedAt), nil
}

// updated is the updated_at of a ClickNPS item; one that was never updated has none.
func updated(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return `,"updated_at":` + string(jsonf("%s", at))
}

// orNull returns what encodes as v, or as null if v is none.
func orNull[T comparable](v, none T) any {
	if v == none {
		return nil
	}
	return v
}
