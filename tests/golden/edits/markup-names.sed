# Names that are markup, in place of those that a terminal obeys.
s#"comm": "ng[^"]*"#"comm": "</p>|`*_x_"#
s#"name": "web[^"]*"#"name": "a\\n\\n\# b ![c](http://d.example) <script>alert(1)</script> \\" onload='e'"#
s#/run/[^"]*sock#/run/```\\n</pre></title><!--|www.f.example.sock#
