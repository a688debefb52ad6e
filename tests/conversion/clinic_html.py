"""Documents as rich-text editors write them in HTML for a physiotherapy practice. All people are invented."""

# ruff: noqa: E501  as they are written

HTML = {
    "soap from an editor": """\
<p><strong>S:</strong> R knee pain 6/52, VAS&nbsp;4/10 at rest</p><p><strong>O:</strong> Flexion 0-125&deg;, effusion +ve</p>
<p><strong>A:</strong> PFPS</p><p><strong>P:</strong>&nbsp;Quads 3x10</p>""",
    "headings and nested lists": """\
<h2>Subjective</h2><ul><li>Pain 5/10<ul><li>worse on stairs</li><li>better with rest</li></ul></li><li>Sleep ok</li></ul>
<h2>Plan</h2><ol><li>HEP</li><li>Review 1/52</li></ol>""",
    "list directly in a list": """\
<ul><li>Shoulder</li><ul><li>Flexion 170&deg;</li><li>Abduction &lt;90&deg;</li></ul><li>Neck</li></ul>""",
    "items with paragraphs": """\
<ul><li><p>Pain 5/10</p></li><li><p>Sleep poor</p><ul><li><p>wakes x3</p></li></ul></li></ul>
<ol><li><p>Ice</p></li><li><p>Rest</p></li></ol>""",
    "list of quill": """\
<ol><li data-list="bullet"><span class="ql-ui" contenteditable="false"></span>Pain 5/10</li>\
<li data-list="bullet" class="ql-indent-1"><span class="ql-ui"></span>stairs</li>\
<li data-list="ordered"><span class="ql-ui"></span>Rest</li></ol>""",
    "task list of an editor": """\
<ul data-type="taskList"><li data-checked="true"><label><input type="checkbox" checked="checked"><span></span></label>\
<div><p>Consent obtained</p></div></li><li data-checked="false"><label><input type="checkbox"><span></span></label>\
<div><p>Letter to GP</p></div></li></ul>""",
    "table with head and body": """\
<table><thead><tr><th>Movement</th><th>L</th><th>R</th></tr></thead><tbody><tr><td>Flexion</td><td>170&deg;</td><td>95&deg;</td>\
</tr><tr><td>Abduction</td><td>165&deg;</td><td>&lt;90&deg;</td></tr></tbody></table>""",
    "table of an editor with paragraphs": """\
<table style="min-width: 75px"><colgroup><col style="min-width: 25px"><col></colgroup><tbody><tr><th colspan="1" rowspan="1">\
<p>Test</p></th><th colspan="1" rowspan="1"><p>Result</p></th></tr><tr><td colspan="1" rowspan="1"><p>SLR</p></td>\
<td colspan="1" rowspan="1"><p>45&deg; (+ve)</p></td></tr></tbody></table>""",
    "table without names": """\
<table><tbody><tr><td><strong>Name</strong></td><td>Sample Person</td></tr><tr><td><strong>DOB</strong></td><td>1/2/1980</td></tr>\
</tbody></table>""",
    "table with names at the left": """\
<table><tr><th>Flexion</th><td>120&deg;</td><td>135&deg;</td></tr><tr><th>Extension</th><td>0&deg;</td><td>-5&deg;</td></tr></table>""",
    "table of lists": """\
<table><tr><th>Problem</th><th>Plan</th></tr><tr><td>Stiffness</td><td><ul><li>Mobs Gr III</li><li>HEP</li></ul></td></tr></table>""",
    "letter of divs": """\
<div>18 November 2026</div><div><br></div><div>Dear Dr Example,</div><div><br></div><div>Re: <b>Sample Person</b>, DOB 1/2/1980</div>\
<div><br></div><div>Thank you for referring Sample (R shoulder, 3/52).</div><div>Kind regards,<br>A. Physio<br>Ph (03) 6200 0000</div>""",
    "letter with br only": """\
Dear Dr Example,<br><br>Thank you for seeing Sample.<br>ROM &lt;90&deg; &amp; painful.<br><br>Regards<br>A. Physio<br>""",
    "pasted from a word processor": """\
<html xmlns:o="urn:schemas-microsoft-com:office:office"><head><meta charset="utf-8"><title>Note</title><style>p.MsoNormal \
{margin:0cm}</style></head><body lang="EN-AU"><div class="WordSection1"><p class="MsoNormal"><b><span style="font-size:12.0pt">\
Subjective<o:p></o:p></span></b></p><p class="MsoNormal"><span>Pain 5/10&nbsp;<o:p></o:p></span></p>\
<p class="MsoListParagraph" style="text-indent:-18pt"><!--[if !supportLists]--><span>·<span>&nbsp;&nbsp; </span></span>\
<!--[endif]-->Night pain nil<o:p></o:p></p></div></body></html>""",
    "pasted from a web editor": """\
<b style="font-weight:normal;" id="docs-internal-guid-1"><p dir="ltr"><span style="font-weight:700">Plan</span></p><ul>\
<li dir="ltr"><p dir="ltr" role="presentation"><span>Ice</span></p></li><li dir="ltr"><p dir="ltr"><span>Rest</span></p></li></ul></b><br>""",
    "marks beside letters": """\
<p><strong>Pain:</strong>constant <em>R</em>otator cuff, un<b>believ</b>able, <b>bold </b><i>italic</i>, (<b>x</b>)</p>""",
    "marks around everything": """\
<strong><h3>Plan</h3><p>Rest</p><ul><li>Ice</li></ul></strong>""",
    "headings inside boxes": """\
<section><header><h1>Report</h1></header><article><h2>History</h2><p>Fell 2/7 ago</p></article><footer><p>Signed</p></footer></section>""",
    "heading with a break and marks": """\
<h2><strong>Assessment</strong><br><em>&amp; plan</em></h2><p>Stable</p>""",
    "numbers that go on": """\
<ol><li>Bridge</li><li>Clam</li></ol><p>then</p><ol start="3"><li>Plank</li></ol><ol type="a"><li>left</li><li>right</li></ol>""",
    "certificate with boxes": """\
<p>☑ Suitable duties ☐ No capacity</p><p>From <u>18/11/2026</u> to <u>&nbsp;&nbsp;&nbsp;</u></p><p>Signed: ______________</p>""",
    "definitions": """\
<dl><dt>HPC</dt><dd>Fell 2/7 ago</dd><dt>PMHx</dt><dd>Nil</dd></dl>""",
    "signs that were not escaped": """\
<p>ROM <90, BP >140, A&E, 5 > 3 & 2 < 4, HR<100</p>""",
    "powers and formulas": """\
<p>H<sub>2</sub>O, SpO<sub>2</sub> 98%, 10<sup>3</sup> steps, 2<sup>nd</sup> MT, BMI 24 kg/m<sup>2</sup></p>""",
    "quotation and line": """\
<blockquote><p>"It clicks<br>when I squat"</p></blockquote><hr><p>Noted</p>""",
    "laid-out text": """\
<pre>Flexion    L 120  R 135
Extension  L 0    R -5</pre>""",
    "links": """\
<p>See <a href="https://example.org/hep?a=1&amp;b=2" target="_blank">your exercises</a>, call <a href="tel:0362000000">(03) 6200 0000</a> \
or <a href="mailto:physio@example.com">physio@example.com</a></p>""",
    "spans with styles": """\
<p><span style="color:red">Allergy:</span><span> latex</span></p><p><span style="text-decoration:line-through">codeine</span> \
<mark>urgent</mark> <small>small print</small> <font color="red">red</font> <kbd>F1</kbd> <abbr title="range of motion">ROM</abbr></p>""",
    "other alphabets": """\
<p dir="rtl">محمد: ألم 5/10</p><p>שלום 😀 王小明 e&#x301; &#8805;90&#176; &hearts;</p>""",
    "empty paragraphs and spaces": """\
<p>&nbsp;</p><p>Pain 5/10</p><p><br></p><p>&#8203;</p><p>Sleep&nbsp;&nbsp;ok</p><div></div>""",
    "details and figures": """\
<details><summary>History</summary>Fell 2/7 ago</details><figure><img src="a.png" alt="Body chart"><figcaption>R shoulder</figcaption></figure>""",
    "form of a questionnaire": """\
<form><fieldset><legend>Pain</legend><label><input type="radio" name="p" checked> better</label> <label><input type="radio" \
name="p"> worse</label><p>Score <input type="text" value="42/80"></p></fieldset></form>""",
    "unclosed tags": """\
<p>Pain 5/10<p>Sleep ok<ul><li>Ice<li>Rest</ul><b>Plan: review""",
    "markdown inside of html": """\
<p># not a heading</p><p>- not a list *or emphasis* 1. or number</p><p>_blank_ `code` | bar | [x](y)</p>""",
}
