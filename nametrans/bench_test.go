package nametrans

import "testing"

func BenchmarkEndpoint(b *testing.B) {
	for _, c := range []struct {
		name  string
		rules []Rule
		path  string
	}{
		{"mount", nil, "/atlas/raw/run12/data.0001.root"},
		{"replace", []Rule{{Replace: StringOrList{"/atlas/raw"}, With: "/r"}}, "/atlas/raw/run12/data.0001.root"},
		{"rucio", []Rule{{Rucio: StringOrList{"/atlas/rucio"}, With: "/r"}}, "/atlas/rucio/mc16/data.0001.root"},
		{"regexp", []Rule{{Regexp: "/atlas/raw/(.*)", With: "/r/$1"}}, "/atlas/raw/run12/data.0001.root"},
	} {
		b.Run(c.name, func(b *testing.B) {
			tr, err := Compile("/atlas", c.rules)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if tr.Endpoint(c.path) == nil {
					b.Fatal("not covered")
				}
			}
		})
	}
}

// TestEndpointAllocates nothing but the slice it returns when a mount decides.
func TestEndpointAllocates(t *testing.T) {
	tr, err := Compile("/atlas", []Rule{{Replace: StringOrList{"/atlas/x"}, With: "/y"}})
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { tr.Endpoint("/atlas/raw/f1") }); n != 1 {
		t.Errorf("Endpoint allocates %v times, want once", n)
	}
	if n := testing.AllocsPerRun(100, func() { tr.Covers("/atlas/raw/f1") }); n != 0 {
		t.Errorf("Covers allocates %v times, want never", n)
	}
}
