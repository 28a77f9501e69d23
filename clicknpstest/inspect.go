package clicknpstest

import (
	"cmp"

	"github.com/clicknps/go-sdk"
)

// AddSurvey adds a ClickNPS survey, and returns it with what was missing filled in: an id, a name and a
// question, the status active, the fake's time. A survey with the same id is replaced.
func (s *Server) AddSurvey(sv clicknps.Survey) clicknps.Survey {
	s.mu.Lock()
	defer s.mu.Unlock()
	wire := &survey{
		ID:        cmp.Or(sv.ID, s.store.newID("survey")),
		Name:      cmp.Or(sv.Name, "My Survey"),
		Question:  cmp.Or(sv.Question, "How likely are you to recommend us?"),
		Status:    cmp.Or(string(sv.Status), "active"),
		CreatedAt: cmp.Or(stored(sv.CreatedAt), s.instant()),
		UpdatedAt: stored(sv.UpdatedAt),
	}
	s.store.surveys.put(wire.ID, wire)
	return wire.public()
}

// AddResponse adds a ClickNPS response as it is, and returns it with an id and the fake's time filled in if
// they were missing. It is not delivered to webhooks: see [Server.Respond]. A response with the same id is
// replaced.
func (s *Server) AddResponse(r clicknps.Response) clicknps.Response {
	s.checkScore(r.Score)
	s.mu.Lock()
	defer s.mu.Unlock()
	wire := &response{
		ID:        cmp.Or(r.ID, s.store.newID("response")),
		SurveyID:  r.SurveyID,
		SubjectID: r.SubjectID,
		Score:     r.Score,
		Comment:   orNull(r.Comment),
		CreatedAt: cmp.Or(stored(r.CreatedAt), s.instant()),
		UpdatedAt: stored(r.UpdatedAt),
	}
	s.store.responses.put(wire.ID, wire)
	s.store.answered[asked{wire.SurveyID, wire.SubjectID}] = s.store.responses.byID[wire.ID]
	return wire.public()
}

// AddNPSSurvey adds a SalesOS survey, and returns it with what was missing filled in: a UUID, a name, the
// type transactional, the fake's time. IsActive is taken as it is. A survey with the same id is replaced,
// its responses with it.
func (s *Server) AddNPSSurvey(sv clicknps.NPSSurvey) clicknps.NPSSurvey {
	s.mu.Lock()
	defer s.mu.Unlock()
	wire := &npsSurvey{
		ID:        cmp.Or(sv.ID, s.store.newUUID()),
		Name:      cmp.Or(sv.Name, "My Survey"),
		Question:  sv.Question,
		Type:      cmp.Or(string(sv.Type), defaultNPSType),
		IsActive:  sv.IsActive,
		CreatedAt: cmp.Or(stored(sv.CreatedAt), s.instant()),
		UpdatedAt: stored(sv.UpdatedAt),
	}
	if wire.UpdatedAt.IsZero() {
		wire.UpdatedAt = wire.CreatedAt
	}
	s.store.npsSurveys.put(wire.ID, wire)
	return wire.public()
}

// AddNPSResponse adds a response to a SalesOS survey, and returns it with a UUID and the fake's time filled
// in if they were missing. A survey that isn't there is misuse.
func (s *Server) AddNPSResponse(surveyID string, r clicknps.NPSResponse) clicknps.NPSResponse {
	s.checkScore(r.Score)
	s.mu.Lock()
	defer s.mu.Unlock()
	sv, ok := s.store.npsSurveys.byID[surveyID]
	if !ok {
		s.fatalf("clicknpstest: no SalesOS survey %q", surveyID)
	}
	wire := &npsResponse{
		ID:        cmp.Or(r.ID, s.store.newUUID()),
		SurveyID:  surveyID,
		Score:     r.Score,
		Comment:   orNull(r.Comment),
		Email:     orNull(r.Email),
		CreatedAt: cmp.Or(stored(r.CreatedAt), s.instant()),
	}
	sv.responses = append(sv.responses, wire)
	return wire.public()
}

// Respond answers a ClickNPS survey as if the customer clicked the link of score, and wrote comment if it is
// not empty. Only the first answer of a subject counts: a later one changes nothing, and the first is returned.
// Webhooks are told, 180 s later.
func (s *Server) Respond(surveyID, subjectID string, score int, comment string) clicknps.Response {
	s.checkScore(score)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.answerSurvey(asked{surveyID, subjectID}, score, orNull(comment)).public()
}

// SetTarget sets the number of responses that completes a ClickNPS survey: its status becomes completed, and
// webhooks are told. 0 removes the target. A survey that isn't there is misuse.
func (s *Server) SetTarget(surveyID string, responses int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sv, ok := s.store.surveys.byID[surveyID]
	if !ok {
		s.fatalf("clicknpstest: no ClickNPS survey %q", surveyID)
	}
	sv.target = responses
	s.completeSurvey(sv)
}

func (s *Server) checkScore(score int) {
	if score < 0 || score > 10 {
		s.fatalf("clicknpstest: score %d is not from 0 to 10", score)
	}
}

// Surveys returns copies of the ClickNPS surveys in the order of their creation.
func (s *Server) Surveys() []clicknps.Survey {
	return inspect(s, &s.store.surveys, (*survey).public)
}

// Responses returns copies of the ClickNPS responses in the order of their creation.
func (s *Server) Responses() []clicknps.Response {
	return inspect(s, &s.store.responses, (*response).public)
}

// Webhooks returns copies of the ClickNPS webhooks in the order of their creation.
func (s *Server) Webhooks() []clicknps.Webhook {
	return inspect(s, &s.store.webhooks, (*webhook).public)
}

// NPSSurveys returns copies of the SalesOS surveys in the order of their creation.
func (s *Server) NPSSurveys() []clicknps.NPSSurvey {
	return inspect(s, &s.store.npsSurveys, (*npsSurvey).public)
}

func inspect[W, P any](s *Server, c *collection[W], public func(*W) P) []P {
	s.mu.Lock()
	defer s.mu.Unlock()
	copies := make([]P, len(c.items))
	for i, item := range c.items {
		copies[i] = public(item)
	}
	return copies
}

func (sv *survey) public() clicknps.Survey {
	return clicknps.Survey{
		ID: sv.ID, Name: sv.Name, Question: sv.Question, Status: clicknps.SurveyStatus(sv.Status),
		CreatedAt: sv.CreatedAt, UpdatedAt: sv.UpdatedAt,
	}
}

func (r *response) public() clicknps.Response {
	return clicknps.Response{
		ID: r.ID, SurveyID: r.SurveyID, SubjectID: r.SubjectID, Score: r.Score, Comment: orEmpty(r.Comment),
		CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt,
	}
}

func (w *webhook) public() clicknps.Webhook {
	events := make([]clicknps.EventType, len(w.Events))
	for i, e := range w.Events {
		events[i] = clicknps.EventType(e)
	}
	return clicknps.Webhook{ID: w.ID, URL: w.URL, Events: events, Secret: w.Secret, CreatedAt: w.CreatedAt}
}

func (sv *npsSurvey) public() clicknps.NPSSurvey {
	return clicknps.NPSSurvey{
		ID: sv.ID, Name: sv.Name, Question: sv.Question, Type: clicknps.NPSSurveyType(sv.Type),
		IsActive: sv.IsActive, CreatedAt: sv.CreatedAt, UpdatedAt: sv.UpdatedAt,
	}
}

func (r *npsResponse) public() clicknps.NPSResponse {
	return clicknps.NPSResponse{
		ID: r.ID, SurveyID: r.SurveyID, Score: r.Score, Comment: orEmpty(r.Comment), Email: orEmpty(r.Email),
		CreatedAt: r.CreatedAt,
	}
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
