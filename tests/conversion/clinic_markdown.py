"""Documents as language models write them in Markdown for a physiotherapy practice. All people are invented."""

# ruff: noqa: E501, W291  as they are written

MARKDOWN = {
    "soap with bold letters": """\
**S:** R knee pain 6/52, worse on stairs. VAS 4/10 at rest, 7/10 on stairs.
**O:** Flexion 0-125° (L 0-140°), extension -5°. McMurray's -ve, Lachman's -ve, effusion +ve.
**A:** PFPS, ?meniscal irritation.
**P:** Quads setting 3x10 BD, review 2/52.
""",
    "soap with the colon outside the bold": """\
**Subjective**: Slept poorly. Meds: ibuprofen 400mg TDS (prn).

**Objective**: SLR L 60°, R 45° (+ve). Slump R +ve.

**Assessment**: Non-specific LBP; no red flags.

**Plan**: HEP as below, r/v 1/52
""",
    "headings glued to lists": """\
## Subjective
- Pain 5/10 ↓ from 7/10
- Night pain: nil
## Objective
- Flexion >90°, abduction <90°
- Strength 4+/5
## Plan
1. Continue HEP
2. Review 1/52
""",
    "headings that are a word and a colon": """\
Plan:
- ice 10/60
- rest

Goals:
Return to running in 6-8 weeks

Precautions: nil
""",
    "initial assessment with a table of rom": """\
# Initial Assessment

**Patient:** Sample Person  **DOB:** 01/02/1980

## Active ROM (shoulder)

| Movement | Left | Right | Norm |
|:---------|:----:|------:|------|
| Flexion | 170° | 95°* | 180° |
| Abduction | 165° | <90° | 180° |
| ER @ 0° | 60° | 30° | 60-90° |
| IR (HBB) | T7 | L5 | T5-T8 |

\\* painful arc 60-120°

## Impression

Right subacromial pain, likely RC tendinopathy.
""",
    "strength out of five": """\
| Myotome | L | R |
|---|---|---|
| L2 (hip flexion) | 5/5 | 4-/5 |
| L4 (ankle DF) | 5/5 | 4+/5 |
| S1 (ankle PF) | 5/5 | 3/5 ↓ |
""",
    "table without outer bars": """\
Test | Result
--- | ---
Neer's | +ve
Hawkins-Kennedy | +ve
Empty can | -ve
""",
    "table whose rows are too short and too long": """\
| Exercise | Sets | Reps |
|---|---|---|
| SLR | 3 |
| Bridge | 3 | 10 | hold 5s |
| Clam | | 15 |
""",
    "table right under a sentence": """\
ROM today as follows:
| Movement | Range |
|---|---|
| Flexion | 0-120° |
Pain at end of range.
""",
    "table with line breaks in its cells": """\
| Problem | Plan |
|---|---|
| Stiffness | Mobilisations Gr III<br>HEP daily |
| Weakness | **Strengthening** 3 x 10<br/>progress weekly |
""",
    "table drawn with plus and minus": """\
+-----------+------+-------+
| Movement  | Left | Right |
+-----------+------+-------+
| Flexion   | 120  | 135   |
| Extension | 0    | -5    |
+-----------+------+-------+
""",
    "table laid out with tabs": """\
Movement\tLeft\tRight
Flexion\t120°\t135°
Extension\t0°\t-5°
""",
    "table laid out with spaces": """\
Movement     Left    Right
Flexion      120     135
Extension    0       -5
""",
    "referral letter with address and signature": """\
18 November 2026

Dr Example Practitioner
Example Medical Centre
12 Sample Street
Hobart TAS 7000

Re: Sample Person, DOB 1/2/1980

Dear Dr Practitioner,

Thank you for referring Sample for management of R shoulder pain (onset 3/52 ago, no trauma).

On examination, flexion was limited to <90° and ER to 30°. I would be grateful if you could consider:

1. USS of the R rotator cuff
2. Review of analgesia (currently paracetamol 1g QID & ibuprofen 400mg TDS)

Please contact me on (03) 6200 0000 or at physio@example.com.au.

Kind regards,

A. Physio
B.Physio(Hons), APAM
Example Physiotherapy
""",
    "discharge letter with a rule above its signature": """\
Dear Dr Example,

Sample was discharged today after 8 sessions. LEFS improved from 42/80 to 74/80.

Outcome: all goals met
---
A. Physio
Provider no. 0000000A
""",
    "workcover certificate": """\
# Certificate of Capacity

**Worker:** Sample Person
**Claim no.:** WC-0000-1111
**Date of injury:** 3/10/2026
**Employer:** Example Pty Ltd

## Capacity

- [x] Suitable duties from 18/11/2026 to 2/12/2026
- [ ] Pre-injury duties
- [ ] No capacity

| Function | Can | Limit |
|---|---|---|
| Lifting | ☑ | ≤5 kg floor to waist |
| Sitting | ☑ | ≤30 mins |
| Overhead reach | ☐ | not permitted |

Signed: ____________________  Date: ___/___/______
""",
    "check list with boxes": """\
## Red flags
☐ Saddle anaesthesia
☐ Bladder/bowel change
☑ Night pain
☒ Weight loss – denied
✓ Consent obtained
✗ Steroid use
""",
    "task list": """\
- [ ] Send letter to GP
- [x] Book review 25/11
- [X] HEP printed
  - [ ] e-mail video links
""",
    "numbers with brackets": """\
1) Knee flexion 0-120
2) Calf raises 3x15
3) Walk 20/60 BD
""",
    "lettered list": """\
a) Pain diary
b) Pacing
c) Graded exposure
   i. stairs
   ii. lifting
""",
    "roman numbers": """\
i) Sciatic nerve slider
ii) Piriformis stretch
iv) Review
""",
    "bullets typed by hand": """\
Plan
• Ice 15/60
• Elevate
  ◦ above heart
  – compression
· Crutches WBAT
● Review 3/7
""",
    "bullets with dashes of other kinds": """\
Objective:
– Gait antalgic
— Effusion moderate
‣ SLR lag 10°
→ refer if no change
""",
    "ordered list of ones": """\
1. Warm-up 5/60
1. Stretch 3x30s
1. Strength 3x10
""",
    "ordered list broken by text": """\
1. Bridge
   Hold 5 s, 3 sets of 10

2. Clam

   Red band, 3x12

3. Side plank
""",
    "list with paragraphs that are not indented": """\
1. Bridge
Hold 5 s

2. Clam
Red band

Continue for 2/52.
""",
    "ordered list that starts at four": """\
Continue from last week:

4. Lunges 3x8
5. Step-ups 3x10
7. Hop and hold (number 6 ceased)
""",
    "numbers that begin a sentence": """\
Reviewed today.
2. 5 mg tablets ceased
2026. A good year for her.
10 reps tolerated
1.5 kg dumbbell
""",
    "year at the start of a line": """\
Past surgery:
1998. ACL reconstruction L
2015. Arthroscopy R
""",
    "nested bullets four spaces apart": """\
- Shoulder
    - Flexion 170°
    - Abduction 165°
        - painful arc 60-120°
- Neck
    1. Rotation L 60°
    2. Rotation R 75°
""",
    "nested bullets two spaces under a number": """\
1. Exercises
  - Bridge
  - Clam
2. Advice
  - Pacing
""",
    "nested numbers two spaces apart": """\
1. Knee
  1. Flexion 0-120°
  2. Extension -5°
2. Hip
  1. FADIR +ve
""",
    "bold only headings": """\
**Subjective**

Feels 50% better.

**Objective**

SLR 80° B/L

**Assessment & Plan**

Continue.
""",
    "bold heading glued to its text": """\
**HPI**
Fell off ladder 2/7 ago (~2 m).
**PMHx**
HTN, T2DM (HbA1c 7.2%), ↑chol.
**Meds**
Metformin 500mg BD; perindopril 5mg OD
""",
    "heading in capitals with a line below": """\
SUBJECTIVE
----------
Pain 3/10.

OBJECTIVE
=========
FROM, no swelling.
""",
    "sentence with a line below": """\
Patient reports: "feels like a knife"
-----
Next section
""",
    "headings without a space": """\
#Subjective
Pain 3/10
##Plan
Review
""",
    "headings closed by signs": """\
## Subjective ##
Pain 3/10
### Plan ###
Review in C# minor choir on Tuesday
""",
    "numbered headings": """\
## 1. Subjective
Pain 3/10
## 2. Objective
ROM full
### 2.1 Gait
Normal
""",
    "heading with bold, a link and a sign": """\
## **Plan** (see [handout](https://example.org/knee)) & goals <6/52
Rest
""",
    "footnotes": """\
LEFS 42/80[^1], up from 30/80[^mcid].

[^1]: Lower Extremity Functional Scale.
[^mcid]: MCID is 9 points.
""",
    "stars as footnote marks": """\
Flexion 120°* and extension 0°**

*with overpressure
**painful at end range
""",
    "one star before a remark": """\
ROM: flexion 90*, abduction 80*
* pain at end range
""",
    "marked and struck text": """\
==Allergic to latex== and ~~codeine~~ (error, see below). H~2~O therapy; 10^3^ steps; x^2^.
""",
    "blanks to fill in": """\
Name: _____________________
Date: ____/____/________
Signature: ______________________________
Pain at rest: ___/10   on movement: __/10
""",
    "placeholders of a template": """\
Dear {{referrer_name}},

[Patient name] attended on [date]. <insert findings> {insert plan}

Yours, <name>
<signature>
""",
    "angle brackets of many kinds": """\
HR <100, BP >140/90, SpO2 >=95%, RR<20, flexion<extension, a<b>c, <5 reps, > 3 sets, <-> bilateral, ->, =>, <=, >>, <<
""",
    "thresholds at the start of lines": """\
>90° flexion by 6/52
> 120° flexion by 12/52
>= 5/5 strength
>6 weeks: running
<90 keep off
""",
    "shorthand signs": """\
↑tone, ↓ROM, Δ dressing, ∅ oedema, 2° to fall, 1/52, 3/7, #NOF L 2019, # R 5th MT, c/o, w/ & w/o, ~10 m, @ 90°, 5# DB
""",
    "fracture sign at the start of a line": """\
PMHx
#NOF 2019
# R wrist 2021
""",
    "times and multiplications": """\
Squats 3*10, lunges 3 * 8, bridge 3x12, plank 2×30s, 2*3*4 circuit, sets*reps*load
""",
    "underscores inside words": """\
Questionnaire scores: NDI_score 24, ODI_pre_op 40, file knee_xray_2026_11_03.pdf, _pain_ __at__ rest
""",
    "plus and minus signs": """\
SLR +ve L / -ve R
+ve Lachman
-ve McMurray
++ tender over MJL
+/- swelling
- ve pivot shift
""",
    "dates, phone numbers and money": """\
Seen 1/2/2026, 01-02-2026 and 2026-02-01 at 9:30am. Ph 0400 000 000 / +61 3 6200 0000. Fee $95.00 (gap $40.50), 50% paid.
""",
    "addresses in many ways": """\
See https://example.org/exercises?id=1&lang=en, www.example.org, physio@example.com.au,
[video](https://example.org/v/1 "Bridge"), <https://example.org/plan>, and [the GP](mailto:gp@example.com).
""",
    "code and quotations": """\
Patient said:

> "It goes *click* when I squat,
> then gives way."

Item number `10960` billed; claim `EPC-<3 of 5>`.
""",
    "fenced block of measures": """\
Measures:

```
Flexion    L 120  R 135
Extension  L 0    R -5
```
""",
    "whole answer in a fence": """\
```markdown
## Plan
- Ice & rest
- ROM <90
```
""",
    "prose in one paragraph": """\
Sample attended for review of her L ankle sprain (ATFL, gr II), now 3/52 post injury. She reports "70% better", is back at \
work (retail, standing 6-8 h/day) and denies giving way; swelling persists ++ in the evenings. Plan: progress SLS -> hop.
""",
    "continuation lines that are indented": """\
Subjective:  pain in R hip
             worse with sitting >30 mins
             better with walking
Objective:   FADIR +ve
             FABER 15 cm off plinth
""",
    "indented by a tab": """\
Plan:
\tIce
\tRest
\tReview 1/52

\tSigned A. Physio
""",
    "line breaks by two spaces and by a backslash": """\
12 Sample Street  
Hobart TAS 7000\\
Australia
""",
    "emphasis inside words and beside punctuation": """\
un**believ**able, **Pain:**constant, **bold***italic*, (**important**), "**now**", **Note**—urgent, *a*/*b*
""",
    "emphasis that is never closed": """\
**Subjective: pain 5/10
*mild swelling, _guarding, `ROM
** allergy: latex **
""",
    "emoji and other alphabets": """\
Pain 😀→😣 over the day 👩🏽‍⚕️. Zażółć, naïve, Ngāti, 王小明, محمد قال: "ألم", שלום, Ελένη, Ørsted. ½ tab, m², µg, °C, ≥, ≤, ≠
""",
    "mini mental with fractions and ranges": """\
MMSE 28/30; TUG 12.4 s (<13.5 s); 10MWT 1.2 m/s; BBS 52/56; 6MWT 420 m [norm 400–700 m]; GCS 15 (E4V5M6)
""",
    "definitions in the style of markdown extra": """\
HPC
: fell 2/7 ago

PMHx
: nil of note
""",
    "bars in a sentence": """\
L | R | notes
5/5 | 4/5 | painful
Consent: verbal | written
""",
    "several rules": """\
***
Initial consult
___
Pain 4/10
* * *
Plan: rest
- - -
""",
    "html inside markdown": """\
## Plan
Rest<br>Ice<br/>Compression &amp; elevation
<u>Review</u> in 1/52 <b>without fail</b>
<!-- drafted by scribe -->
""",
    "entities written out": """\
BP &gt;140 &amp; HR &lt;100; 37&deg;C; caf&eacute;; A&E; R&D; AT&T; &nbsp;indented; 5 &times; 10; &frac12; tab
""",
    "backslashes": """\
L\\R equal; C:\\notes\\knee; 5\\10; \\*not bold\\*; \\# 3; ¯\\_(ツ)_/¯
""",
    "smart quotes and dashes": """\
“Can’t sleep” – pain 8/10 — worse at night… ‘sharp’ pain, 5–10 mins, 3′ 20″
""",
    "windows line ends and trailing spaces": "Subjective: \r\n- pain 5/10   \r\n- sleep ok\r\n\r\nPlan: \r\n1. rest \r\n",
    "one long list of medication": """\
Medications:
* Paracetamol 500 mg – 2 tabs QID prn
* Ibuprofen 200 mg – 1-2 tabs TDS c/ food
* Amlodipine 5 mg mane
  (↓ from 10 mg 3/12 ago)
* Vit D 1000 IU

Allergies: NKDA
""",
    "exercise programme": """\
### Home Exercise Program
| # | Exercise | Sets × Reps | Load | Notes |
|---|----------|-------------|------|-------|
| 1 | Bridge | 3 × 12 | BW | Hold 2 s |
| 2 | Clam \\| side-lying | 3 × 15 | red TB | |
| 3 | *Single-leg* squat | 2 × 8 | – | to 60° only; **stop if pain >4/10** |
""",
    "goals with percent and arrows": """\
**Goals (SMART)**
1. ↑ R knee flexion 95° → 120° by 16/12/2026
2. 30 min walk, pain ≤3/10, 5x/week
3. RTW full duties (100%) in 8/52

**Prognosis:** good
""",
    "heading with nothing below and one at the end": """\
## Allergies

## Plan
Review
## Next appointment
""",
    "quotation without its mark on every line": """\
> Pt: I can't lift it
past here
> any more

Physio: noted
""",
    "link with brackets inside": """\
[Guideline (2026)](https://example.org/a_(b)) and [x] and [ ] and [sic] and [1] (see over)
""",
    "picture": """\
![Body chart: R shoulder](https://example.org/chart.png)
Pain as drawn.
""",
}
