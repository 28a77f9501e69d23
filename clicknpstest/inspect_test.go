package clicknpstest_test

import (
	"testing"
	"time"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRespondCountsOnce(t *testing.T) {
	srv := clicknpstest.Run(t)
	first := srv.Respond("one", "a", 10, "Good")
	assert.Equal(t, first, srv.Respond("one", "a", 0, "Bad"))
	assert.Equal(t, []clicknps.Response{first}, srv.Responses())
	assert.Equal(t, "Good", first.Comment)
	assert.NotEqual(t, first.ID, srv.Respond("two", "a", 0, "").ID, "another survey is another answer")
}

func TestInspectorsReturnCopies(t *testing.T) {
	srv := clicknpstest.Run(t)
	c := inProcess(t, srv)
	c.call("POST", "/v1/webhooks?a=b", `{"url":"https://example.com","events":["response.created"]}`)
	srv.Webhooks()[0].Events[0] = "changed"
	request := srv.Requests()[0]
	request.Body[0] = 'X'
	request.Header.Set("Content-Type", "changed")
	request.Query.Set("a", "changed")
	assert.Equal(t, clicknps.EventResponseCreated, srv.Webhooks()[0].Events[0])
	request = srv.Requests()[0]
	assert.Equal(t, byte('{'), request.Body[0])
	assert.Equal(t, "application/json", request.Header.Get("Content-Type"))
	assert.Equal(t, "b", request.Query.Get("a"))
}

func TestAddedItemsAreFilledInOrReplaced(t *testing.T) {
	srv := clicknpstest.Run(t)
	sv := srv.AddSurvey(clicknps.Survey{})
	assert.NotEmpty(t, sv.Name)
	assert.NotEmpty(t, sv.Question)
	assert.Equal(t, clicknps.SurveyStatusActive, sv.Status)
	assert.WithinDuration(t, time.Now(), sv.CreatedAt, time.Minute)
	r := srv.AddResponse(clicknps.Response{SurveyID: sv.ID, SubjectID: "a", Score: 3, Comment: "c", UpdatedAt: documented})
	assert.Equal(t, []clicknps.Response{r}, srv.Responses())
	assert.Equal(t, r, srv.Respond(sv.ID, "a", 10, ""), "an added response is the subject's answer")
	nps := srv.AddNPSSurvey(clicknps.NPSSurvey{Name: "N"})
	assert.Equal(t, clicknps.NPSTransactional, nps.Type)
	assert.Equal(t, nps.CreatedAt, nps.UpdatedAt)
	assert.Equal(t, nps.ID, srv.AddNPSResponse(clicknps.NPSResponse{SurveyID: nps.ID, Score: 3}).SurveyID)

	sv.Name = "Other"
	srv.AddSurvey(sv)
	assert.Equal(t, []clicknps.Survey{sv}, srv.Surveys())
}

func TestMisuse(t *testing.T) {
	misuses := map[string]func(*clicknpstest.Server){
		"no ClickNPS survey":   func(s *clicknpstest.Server) { s.SetTarget("none", 1) },
		"no SalesOS survey":    func(s *clicknpstest.Server) { s.AddNPSResponse(clicknps.NPSResponse{SurveyID: "none"}) },
		"score 11":             func(s *clicknpstest.Server) { s.Respond("s", "a", 11, "") },
		"score -1":             func(s *clicknpstest.Server) { s.Respond("s", "a", -1, "") },
		"score -2":             func(s *clicknpstest.Server) { s.AddResponse(clicknps.Response{Score: -2}) },
		"score 12":             func(s *clicknpstest.Server) { s.AddNPSResponse(clicknps.NPSResponse{Score: 12}) },
		"negative target":      func(s *clicknpstest.Server) { s.SetTarget(s.AddSurvey(clicknps.Survey{}).ID, -1) },
		"no ClickNPS response": func(s *clicknpstest.Server) { s.RemoveResponse("none") },
		"the fake is closed":   func(s *clicknpstest.Server) { s.Close(); s.URL() },
		"no client":            func(s *clicknpstest.Server) { s.Client(nil) },
	}
	for message, misuse := range misuses {
		var failed recordingTB
		srv := clicknpstest.Run(&failed)
		assert.Panics(t, func() { misuse(srv) }, message)
		assert.Contains(t, failed.message, message)
		assert.NotPanics(t, func() { srv.Surveys() }, "no lock is left behind")
		failed.cleanup()
		assert.Panics(t, func() { misuse(clicknpstest.New()) }, message)
	}
}

func TestAResponseWithoutAScoreIsNull(t *testing.T) {
	srv := clicknpstest.Run(t)
	r := srv.AddResponse(clicknps.Response{ID: "r", SurveyID: "s", SubjectID: "a", Score: clicknps.NoScore})
	assert.Equal(t, clicknps.NoScore, r.Score)
	assert.Equal(t, []clicknps.Response{r}, srv.Responses())
	assert.Contains(t, inProcess(t, srv).get("/v1/responses/r").body, `"score":null`)
}

func TestAReplacedOrRemovedResponseFreesItsSubject(t *testing.T) {
	srv := clicknpstest.Run(t)
	srv.AddResponse(clicknps.Response{ID: "r", SurveyID: "s", SubjectID: "a", Score: 1})
	srv.AddResponse(clicknps.Response{ID: "r", SurveyID: "s", SubjectID: "b", Score: 2})
	assert.Equal(t, 3, srv.Respond("s", "a", 3, "").Score, "a has not answered any more")
	assert.Equal(t, 2, srv.Respond("s", "b", 4, "").Score)

	srv.RemoveResponse("r")
	require.Len(t, srv.Responses(), 1)
	assert.Equal(t, 404, inProcess(t, srv).get("/v1/responses/r").status)
	assert.Equal(t, 5, srv.Respond("s", "b", 5, "").Score)

	srv.AddResponse(clicknps.Response{ID: "old", SurveyID: "s", SubjectID: "c", Score: 6})
	newer := srv.AddResponse(clicknps.Response{SurveyID: "s", SubjectID: "c", Score: 7})
	srv.RemoveResponse("old")
	assert.Equal(t, newer, srv.Respond("s", "c", 8, ""), "the answer that counts is another")
}
