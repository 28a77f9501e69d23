package main

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
)

// row is one response of either service.
type row struct {
	ID        string    `json:"id"`
	Survey    string    `json:"survey"`
	Customer  string    `json:"customer"`
	Score     *int      `json:"score"` // null: the customer gave none
	Comment   string    `json:"comment"`
	CreatedAt time.Time `json:"created_at"`
}

func score(n int) *int {
	if n == clicknps.NoScore {
		return nil
	}
	return &n
}

// state says how far an export has got: what is in the first Bytes of the file.
type state struct {
	Bytes    int64    `json:"bytes"`
	Bookmark string   `json:"bookmark,omitempty"` // of the ClickNPS list
	Surveys  []string `json:"surveys,omitempty"`  // the SalesOS surveys that are complete
}

// output is a file of rows, with its state in a file beside it.
type output struct {
	state
	file *os.File
	buf  *bufio.Writer
	csv  *csv.Writer   // nil: JSON Lines
	json *json.Encoder // nil: CSV
}

// openOutput opens name.format where its state says that it is complete, or creates it.
func openOutput(name, format string) (*output, error) {
	if format != "csv" && format != "jsonl" {
		return nil, fmt.Errorf("-format %s: want csv or jsonl", format)
	}
	file, err := os.OpenFile(name+"."+format, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	o := &output{file: file, buf: bufio.NewWriter(file)}
	if format == "csv" {
		o.csv = csv.NewWriter(o.buf)
	} else {
		o.json = json.NewEncoder(o.buf)
		o.json.SetEscapeHTML(false)
	}
	if err := o.resume(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return o, nil
}

func (o *output) stateFile() string { return o.file.Name() + ".state" }

// resume cuts off what was written after the state was saved, and begins a new file with its
// header.
func (o *output) resume() error {
	text, err := os.ReadFile(o.stateFile())
	if err == nil {
		err = json.Unmarshal(text, &o.state)
	} else if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", o.stateFile(), err)
	}
	info, err := o.file.Stat()
	if err != nil {
		return err
	}
	if info.Size() < o.Bytes {
		return fmt.Errorf("%s is shorter than %s says: delete both to start anew", o.file.Name(), o.stateFile())
	}
	if err := o.file.Truncate(o.Bytes); err != nil {
		return err
	}
	if _, err := o.file.Seek(0, io.SeekEnd); err != nil {
		return err
	}
	if o.Bytes > 0 || o.csv == nil {
		return nil
	}
	o.buf.WriteString("\ufeff") // tells Excel that the file is UTF-8; the writer keeps its error
	return o.csv.Write([]string{"id", "survey", "customer", "score", "comment", "created_at"})
}

func (o *output) write(r row) error {
	if o.json != nil {
		return o.json.Encode(r)
	}
	score := ""
	if r.Score != nil {
		score = strconv.Itoa(*r.Score)
	}
	return o.csv.Write([]string{
		inert(r.ID), inert(r.Survey), inert(r.Customer), score, inert(r.Comment),
		r.CreatedAt.UTC().Format(time.RFC3339),
	})
}

// inert returns text that a spreadsheet does not take for a formula: it begins with ' if it looks
// like one.
func inert(text string) string {
	first, _ := utf8.DecodeRuneInString(strings.TrimLeftFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	}))
	if strings.ContainsRune("=+-@＝＋－＠", first) {
		return "'" + text
	}
	return text
}

// flush puts all rows on the disk.
func (o *output) flush() error {
	if o.csv != nil {
		o.csv.Flush()
		if err := o.csv.Error(); err != nil {
			return err
		}
	}
	return errors.Join(o.buf.Flush(), o.file.Sync())
}

// save puts all rows on the disk, then their state. A crash between the two costs only the work
// since the last save.
func (o *output) save() (err error) {
	if err := o.flush(); err != nil {
		return err
	}
	if o.Bytes, err = o.file.Seek(0, io.SeekCurrent); err != nil {
		return err
	}
	text, err := json.Marshal(o.state)
	if err != nil {
		return err
	}
	if err := os.WriteFile(o.stateFile()+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(o.stateFile()+".new", o.stateFile())
}

// forget ends a complete export: the next one starts anew.
func (o *output) forget() error { return errors.Join(o.flush(), os.Remove(o.stateFile())) }

func (o *output) close() error { return errors.Join(o.flush(), o.file.Close()) }

// fill gives the fake n responses of each service.
func fill(fake *clicknpstest.Server, n int) {
	comments := []string{"", "Great", "=1+1", "Two\nlines", `He said "no", twice`, "Très bien"}
	for i := range n {
		fake.AddResponse(clicknps.Response{
			SurveyID: "onboarding", SubjectID: fmt.Sprint("customer_", i), Score: i % 11,
			Comment: comments[i%len(comments)],
		})
	}
	for s := range 4 {
		survey := fake.AddNPSSurvey(clicknps.NPSSurvey{Name: fmt.Sprint("Survey ", s)})
		for i := range n / 4 {
			comment := comments[i%len(comments)]
			fake.AddNPSResponse(clicknps.NPSResponse{SurveyID: survey.ID, Score: i % 11, Comment: comment})
		}
	}
}
