package lenient

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"
)

type benchItem struct {
	ID        string          `json:"id"`
	SurveyID  string          `json:"survey_id"`
	SubjectID string          `json:"subject_id"`
	Score     int             `json:"score" absent:"-1"`
	Comment   string          `json:"comment"`
	CreatedAt time.Time       `json:"created_at"`
	UpdatedAt time.Time       `json:"updated_at"`
	RawJSON   json.RawMessage `json:"-"`
}

// benchItems returns n different objects of about 300 bytes: were they equal, the processor
// would learn them by heart.
func benchItems(n int) [][]byte {
	random := rand.New(rand.NewPCG(1, 2))
	letters := func(n int) string {
		s := make([]byte, n)
		for i := range s {
			s[i] = "abcdefghijklmnopqrstuvwxyz     "[random.IntN(31)]
		}
		return string(s)
	}
	items := make([][]byte, n)
	for i := range items {
		created := time.Date(2025, 1, 1+random.IntN(300), random.IntN(24), random.IntN(60), random.IntN(60), 0, time.UTC)
		items[i] = fmt.Appendf(nil, `{"id":"rsp_%s","survey_id":"srv_%s","subject_id":"customer-%d","score":%d,`+
			`"comment":%q,"created_at":%q,"updated_at":%q}`, letters(20), letters(20), random.IntN(1e5), random.IntN(11),
			letters(40+random.IntN(80)), created.Format(time.RFC3339), created.Add(time.Hour).Format(time.RFC3339))
	}
	return items
}

func BenchmarkUnmarshal(b *testing.B) {
	items := benchItems(200)
	each := func(unmarshal func([]byte, any) error) func() error {
		return func() (err error) {
			for _, data := range items {
				err = errors.Join(err, unmarshal(data, new(benchItem)))
			}
			return err
		}
	}
	compare(b, each(json.Unmarshal), each(Unmarshal))
}

func BenchmarkList(b *testing.B) {
	data := slices.Concat([]byte("["), bytes.Join(benchItems(100), []byte(",")), []byte("]"))
	compare(b,
		func() error { return json.Unmarshal(data, new([]benchItem)) },
		func() error {
			var item benchItem
			l := NewList(bytes.NewReader(data))
			for l.Next(&item) {
				continue
			}
			return l.Err()
		})
}

// compare reports how much of encoding/json's time and bytes ours needs. Both run in turn, so
// that the ratio holds on a busy machine, and garbage collection counts.
func compare(b *testing.B, theirs, ours func() error) {
	var took, allocated [2]uint64
	for b.Loop() {
		for i, f := range []func() error{theirs, ours} {
			t, n := measure(b, f)
			took[i] += t
			allocated[i] += n
		}
	}
	b.ReportMetric(float64(took[1])/float64(took[0]), "time/json")
	b.ReportMetric(float64(allocated[1])/float64(allocated[0]), "bytes/json")
}

func measure(b *testing.B, f func() error) (took, allocated uint64) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	for range 10 {
		if err := f(); err != nil {
			b.Fatal(err)
		}
	}
	took = uint64(time.Since(start))
	runtime.ReadMemStats(&after)
	return took, after.TotalAlloc - before.TotalAlloc
}
