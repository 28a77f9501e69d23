package clicknpstest

import (
	"errors"
	"slices"
	"strings"
	"time"

	clicknps "github.com/clicknps/go-sdk"
)

// clickNPSChecks only read.
var clickNPSChecks = []check{
	{"a list has data and pagination", func(c *serviceCheck) error {
		page, err := c.client.Surveys.List(c.ctx, &clicknps.SurveyListParams{Limit: 2})
		if err != nil {
			return err
		}
		p := page.Pagination
		return all(
			expect(p.Total >= len(page.Data), "total is %d, of %d items", p.Total, len(page.Data)),
			expect(p.Limit > 0 && p.Limit <= 2, "limit is %d, and 2 was asked for", p.Limit),
			expect(p.HasMore == (len(page.Data) < p.Total), "has_more is %t", p.HasMore))
	}},
	{"a list has as many items as its total", func(c *serviceCheck) error {
		page, err := c.client.Surveys.List(c.ctx, nil)
		if err != nil {
			return err
		}
		total := page.Pagination.Total
		if total > 500 {
			return errNothingThere // too many for a check
		}
		items, err := clicknps.Collect(c.client.Surveys.All(c.ctx, nil), 1000)
		return all(err, expect(len(items) == total, "%d items, total is %d", len(items), total))
	}},
	{"a page has no more items than its limit", func(c *serviceCheck) error {
		page, err := c.client.Surveys.List(c.ctx, &clicknps.SurveyListParams{Limit: 1})
		if err != nil {
			return err
		}
		return expect(len(page.Data) <= 1, "%d items", len(page.Data))
	}},
	{"offset skips items", func(c *serviceCheck) error {
		two, err := c.client.Surveys.List(c.ctx, &clicknps.SurveyListParams{Limit: 2})
		if err != nil {
			return err
		}
		if len(two.Data) < 2 {
			return errNothingThere
		}
		second, err := c.client.Surveys.List(c.ctx, &clicknps.SurveyListParams{Limit: 1, Offset: 1})
		if err != nil {
			return err
		}
		return all(
			expect(second.Pagination.Offset == 1, "offset is %d", second.Pagination.Offset),
			expect(len(second.Data) == 1 && second.Data[0].ID == two.Data[1].ID, "another item is second"))
	}},
	{"the page behind the end is empty", func(c *serviceCheck) error {
		first, err := c.client.Webhooks.List(c.ctx, nil)
		if err != nil {
			return err
		}
		behind := &clicknps.WebhookListParams{Offset: max(first.Pagination.Total, 1)}
		page, err := c.client.Webhooks.List(c.ctx, behind)
		if err != nil {
			return err
		}
		return expect(len(page.Data) == 0 && !page.Pagination.HasMore, "%d items", len(page.Data))
	}},
	{"a survey has id, name, question, status and time", func(c *serviceCheck) error {
		s, err := c.survey()
		if err != nil {
			return err
		}
		known := []clicknps.SurveyStatus{
			clicknps.SurveyStatusActive, clicknps.SurveyStatusPaused, clicknps.SurveyStatusCompleted,
		}
		return all(
			expect(s.Name != "" && s.Question != "", "name %q, question %q", s.Name, s.Question),
			expect(slices.Contains(known, s.Status), "status is %q", s.Status),
			expect(believable(s.CreatedAt), "created_at is %v", s.CreatedAt))
	}},
	{"a survey has no other fields", func(c *serviceCheck) error {
		s, err := c.survey()
		if err != nil {
			return err
		}
		return unknownFields(s.RawJSON, "id", "name", "question", "status", "created_at", "updated_at")
	}},
	{"Get returns what the list shows", func(c *serviceCheck) error {
		s, err := c.survey()
		if err != nil {
			return err
		}
		got, err := c.client.Surveys.Get(c.ctx, s.ID, clicknps.WithRawJSON())
		if err != nil {
			return err
		}
		return expect(got.Name == s.Name && got.Question == s.Question && got.Status == s.Status, "they differ")
	}},
	{"a survey that does not exist is 404 with a message", func(c *serviceCheck) error {
		_, err := c.client.Surveys.Get(c.ctx, missingID)
		return expectError(err, clicknps.ErrNotFound, 404)
	}},
	{"a response that does not exist is 404 with a message", func(c *serviceCheck) error {
		_, err := c.client.Responses.Get(c.ctx, missingID)
		return expectError(err, clicknps.ErrNotFound, 404)
	}},
	{"a response names its survey and subject, and has a score from 0 to 10", func(c *serviceCheck) error {
		r, err := c.response()
		if err != nil {
			return err
		}
		return all(
			expect(r.SurveyID != "" && r.SubjectID != "", "survey %q, subject %q", r.SurveyID, r.SubjectID),
			expect(r.Score >= clicknps.NoScore && r.Score <= 10, "score is %d", r.Score),
			expect(believable(r.CreatedAt), "created_at is %v", r.CreatedAt))
	}},
	{"a response has no other fields", func(c *serviceCheck) error {
		r, err := c.response()
		if err != nil {
			return err
		}
		return unknownFields(r.RawJSON,
			"id", "survey_id", "subject_id", "score", "comment", "created_at", "updated_at")
	}},
	{"survey_id selects the responses of a survey", func(c *serviceCheck) error {
		r, err := c.response()
		if err != nil {
			return err
		}
		ofSurvey := &clicknps.ResponseListParams{SurveyID: r.SurveyID, Limit: 100}
		page, err := c.client.Responses.List(c.ctx, ofSurvey)
		if err != nil {
			return err
		}
		for _, other := range page.Data {
			if other.SurveyID != r.SurveyID {
				return expect(false, "a response of survey %q", other.SurveyID)
			}
		}
		return expect(len(page.Data) > 0, "none")
	}},
	{"an answer is JSON, and says so", func(c *serviceCheck) error {
		var info clicknps.CallInfo
		_, err := c.client.Surveys.List(c.ctx, nil, clicknps.WithCallInfo(&info))
		kind := info.Header.Get("Content-Type")
		return all(err, expect(strings.HasPrefix(kind, "application/json"), "its content type is %q", kind))
	}},
}

// clickNPSWriteChecks delete what they create. Links can't be deleted; they expire.
var clickNPSWriteChecks = []check{
	{"a survey is created once for one idempotency key, changed and deleted", func(c *serviceCheck) error {
		params := &clicknps.SurveyCreateParams{Name: "SDK check", Question: "Is this a check?"}
		key := clicknps.WithIdempotencyKey(clicknps.NewIdempotencyKey())
		first, err := c.client.Surveys.Create(c.ctx, params, key)
		if err != nil {
			return err
		}
		second, err := c.client.Surveys.Create(c.ctx, params, key)
		if err != nil {
			return errors.Join(err, c.client.Surveys.Delete(c.cleanup(), first.ID))
		}
		if second.ID != first.ID {
			return errors.Join(errors.New("there are two surveys"),
				c.client.Surveys.Delete(c.cleanup(), first.ID), c.client.Surveys.Delete(c.cleanup(), second.ID))
		}
		changes := &clicknps.SurveyUpdateParams{Name: new("SDK check 2")}
		updated, err := c.client.Surveys.Update(c.ctx, first.ID, changes)
		if err == nil {
			changed := updated.Name == *changes.Name && updated.Question == params.Question
			err = expect(changed, "updated: %+v", *updated)
		}
		if err = errors.Join(err, c.client.Surveys.Delete(c.cleanup(), first.ID)); err != nil {
			return err
		}
		_, err = c.client.Surveys.Get(c.ctx, first.ID)
		return expectError(err, clicknps.ErrNotFound, 404)
	}},
	{"a survey without a name is refused, and the field is named", func(c *serviceCheck) error {
		var made struct{ ID string }
		err := c.client.Do(c.ctx, "POST", "/surveys", map[string]string{"question": "Is this a check?"}, &made)
		if made.ID != "" {
			err = c.client.Surveys.Delete(c.cleanup(), made.ID)
		}
		e, _ := errors.AsType[*clicknps.Error](err)
		return all(expectError(err, clicknps.ErrBadRequest, 400),
			expect(e != nil && e.Field == "name", "it is not in %v", err))
	}},
	{"eleven links are minted, the same each time, and expire", func(c *serviceCheck) error {
		s, err := c.survey()
		if err != nil {
			return err
		}
		params := &clicknps.LinkMintParams{SurveyID: s.ID, SubjectID: "sdk-check", TTLDays: 1}
		first, err := c.client.Links.Mint(c.ctx, params)
		if err != nil {
			return err
		}
		second, err := c.client.Links.Mint(c.ctx, params)
		if err != nil {
			return err
		}
		links := slices.Compact(slices.Sorted(slices.Values(first.Links[:])))
		return all(
			expect(len(links) == 11 && links[0] != "", "%d different links", len(links)),
			expect(first.Links == second.Links, "the second time they differ"),
			expect(first.ExpiresAt.After(time.Now().AddDate(-1, 0, 0)), "they expire at %v", first.ExpiresAt))
	}},
}
